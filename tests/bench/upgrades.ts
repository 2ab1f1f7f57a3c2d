import { join } from "node:path";
import type { Lab } from "./lab.ts";
import { benchEnv, startNest, TOKEN } from "./nest.ts";
import type { BenchOptions } from "./options.ts";
import { pinned } from "./pinning.ts";
import { interleave } from "./rounds.ts";
import { median, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";

/** Sockets opened side by side, count: below what one address may have waiting (16). */
const AT_ONCE = 8;

/** Sockets a second that are upgraded, authenticated by their first frame and closed again. */
export async function benchUpgrades(lab: Lab, { rounds, seconds }: BenchOptions): Promise<void> {
  const { url: nest } = await startNest(lab);
  const authOk = await visit(nest);
  // pi is up from here on: what follows attaches to a session that runs.
  const program = join(import.meta.dir, "upgrade-server.ts");
  const { url: bare } = await lab.serve(
    pinned("server", [process.execPath, "--no-env-file", "--config=/dev/null", program, authOk]),
    benchEnv("/nonexistent"),
  );
  const samples = await interleave(
    [
      { name: "bare", measure: () => rate(bare, seconds) },
      { name: "nest", measure: () => rate(nest, seconds) },
    ],
    rounds,
  );
  const [theirs, ours] = [samples.get("bare") ?? [], samples.get("nest") ?? []];
  printTable(
    `/attach: upgrade, first frame, auth_ok, close; sockets a second, ${AT_ONCE} at once, client on Bun`,
    [
      ["", "Bun.serve", "Nest", "÷ Bun.serve"],
      [
        "upgrade, auth, close",
        median(theirs).toFixed(0),
        median(ours).toFixed(0),
        spread(ratios(ours, theirs)),
      ],
    ],
  );
}

async function rate(url: string, seconds: number): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let done = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (performance.now() < endMs) {
        await visit(url);
        done++;
      }
    }),
  );
  return (done * 1000) / (performance.now() - startMs);
}

/** One socket from its upgrade to its end; returns the first frame that came. */
function visit(url: string): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/attach`);
  let first: string | undefined;
  socket.addEventListener("open", () => {
    socket.send(JSON.stringify({ type: "auth", token: TOKEN }));
  });
  socket.addEventListener("message", ({ data }) => {
    first ??= String(data);
    socket.close();
  });
  socket.addEventListener("close", ({ code }) => {
    if (first?.startsWith('{"type":"auth_ok"') === true) resolve(first);
    else reject(new Error(`Cannot attach: closed with ${code} after ${first}`));
  });
  return promise;
}
