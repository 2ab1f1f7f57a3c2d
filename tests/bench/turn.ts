import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { Agent } from "../../src/agent/launch.ts";
import type { Lab } from "./lab.ts";
import { benchEnv, startNest } from "./nest.ts";
import type { BenchOptions } from "./options.ts";
import { pinned } from "./pinning.ts";
import { interleave } from "./rounds.ts";
import { median, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import { TurnClient } from "./turn-client.ts";
import type { Verdicts } from "./verdict.ts";

/** About a hundred tokens; the scripted model says 200 a second. */
const PROMPT = "@say one two three four five six seven eight nine ten\n@repeat 8";

/** A whole turn of the real pi on its scripted model: through Nest, and over its own stdin and stdout. */
export async function benchTurn(
  lab: Lab,
  { rounds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  const nest = await TurnClient.nest(await startNest(lab));
  const direct = new DirectPi(lab);
  const samples = await interleave(
    [
      { name: "direct", measure: () => timed(() => direct.turn(PROMPT)) },
      { name: "nest", measure: () => timed(() => nest.turn(PROMPT)) },
    ],
    rounds,
  );
  nest.close();
  const [bare, ours] = [samples.get("direct") ?? [], samples.get("nest") ?? []];
  printTable("A turn of the real pi on its scripted model, ms: median (middle half)", [
    ["", "over stdio", "through Nest", "difference of medians", "ratio", "stdio / Nest"],
    [
      "prompt to agent_settled",
      spread(bare, 1),
      spread(ours, 1),
      (median(ours) - median(bare)).toFixed(1),
      spread(ratios(ours, bare), 3),
      // Nest, its journal and the durable prompt add less than 15 %.
      verdicts.judge(median(ratios(bare, ours)), { least: 1 / 1.15 }),
    ],
  ]);
}

/** Milliseconds. */
async function timed(run: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await run();
  return performance.now() - startMs;
}

/** The pi that Nest would start, the same way, without Nest. */
class DirectPi {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "ignore">;
  readonly #lines: AsyncGenerator<string>;

  constructor(lab: Lab) {
    const dir = lab.dir();
    const [cwd, sessions] = [join(dir, "vault"), join(dir, "sessions")];
    mkdirSync(cwd);
    mkdirSync(sessions);
    const agent = new Agent({ args: [], env: {}, withheldEnv: [], ownEnv: benchEnv(dir) });
    const { argv, env } = agent.launch(cwd, sessions, "scripted");
    this.#child = lab.own(
      Bun.spawn(pinned("server", argv), {
        cwd,
        env,
        stdin: "pipe",
        stdout: "pipe",
        stderr: "ignore",
      }),
    );
    this.#lines = linesOf(this.#child.stdout);
  }

  async turn(message: string): Promise<void> {
    this.#child.stdin.write(`${JSON.stringify({ id: "1", type: "prompt", message })}\n`);
    await this.#child.stdin.flush();
    for (;;) {
      const { done, value } = await this.#lines.next();
      if (done === true) throw new Error("pi ended in the middle of a turn");
      if (value.startsWith('{"type":"agent_settled"')) return;
    }
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
