import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Lab } from "./lab.ts";
import { benchEnv, TOKEN } from "./nest.ts";
import type { BenchOptions } from "./options.ts";
import { pinned } from "./pinning.ts";
import { interleave } from "./rounds.ts";
import { median, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import type { Verdicts } from "./verdict.ts";

/** At most this many times a bare server's time, so at least half of its speed. */
const TARGET = { least: 0.5 };
const ROOT = join(import.meta.dir, "..", "..");

/** From the start of the executable to its first 200, beside that of a bare server compiled the same way. */
export async function benchStart(
  lab: Lab,
  { rounds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  const dir = lab.dir();
  const bare = join(dir, "bare");
  await build(lab, [join(ROOT, "packaging/build.ts"), "--outdir", dir]);
  await build(lab, [
    "build",
    join(import.meta.dir, "start-server.ts"),
    "--compile",
    "--bytecode",
    "--no-compile-autoload-dotenv",
    "--no-compile-autoload-bunfig",
    "--outfile",
    bare,
  ]);
  const config = join(dir, "config.yaml");
  writeFileSync(config, stringify({ server: { port: 0, token: TOKEN }, log: { level: "error" } }), {
    mode: 0o600,
  });
  const samples = await interleave(
    [
      { name: "bare", measure: () => speed([bare], dir, "/") },
      {
        name: "nest",
        measure: () =>
          speed([join(dir, "nest"), "serve", "--demo", "--config", config], dir, "/health"),
      },
    ],
    rounds,
  );
  const [theirs, ours] = [samples.get("bare") ?? [], samples.get("nest") ?? []];
  const ratio = ratios(ours, theirs);
  printTable("executable: start to the first 200, ms", [
    ["", "bare", "Nest", "÷ bare (speed)", "target"],
    [
      "start",
      (1000 / median(theirs)).toFixed(1),
      (1000 / median(ours)).toFixed(1),
      spread(ratio),
      verdicts.judge(median(ratio), TARGET),
    ],
  ]);
}

async function build(lab: Lab, args: readonly string[]): Promise<void> {
  const child = lab.own(
    Bun.spawn([process.execPath, "--no-env-file", ...args], {
      cwd: ROOT,
      stdout: "ignore",
      stderr: "inherit",
    }),
  );
  if ((await child.exited) !== 0) throw new Error(`Cannot build: ${args.join(" ")}`);
}

/** Starts a second, one after another: the time to the first 200, turned over. */
async function speed(argv: readonly string[], home: string, path: string): Promise<number> {
  const startMs = performance.now();
  const child = Bun.spawn([...pinned("server", [...argv])], {
    env: benchEnv(home),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  try {
    let said = "";
    for await (const chunk of child.stdout) {
      said += new TextDecoder().decode(chunk);
      const url = /http:\/\/127\.0\.0\.1:\d+(?=\s)/.exec(said)?.[0];
      if (url === undefined) continue;
      const { status } = await fetch(url + path);
      if (status !== 200) throw new Error(`answered ${status}`);
      return 1000 / (performance.now() - startMs);
    }
    throw new Error(`ended before it listened: ${said}`);
  } finally {
    child.kill("SIGTERM");
    await child.exited;
  }
}
