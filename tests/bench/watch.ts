import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { systemClock } from "../../src/cli/clock.ts";
import { Root } from "../../src/vault/walk.ts";
import { VaultWatch } from "../../src/vault/watch.ts";
import type { Lab } from "./lab.ts";
import type { BenchOptions } from "./options.ts";
import { median, quantile, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import { FILES, FOLDERS, makeTree, noteAt } from "./vault-tree.ts";
import type { Verdicts } from "./verdict.ts";

/** Single changes timed in all. */
const CHANGES = 200;
/** Most that a change may take to be told, ms: what is promised. */
const MOST_LATENCY_MS = 1000;

/** What watching 50,000 notes costs at the start, and how long a change takes to be told. */
export async function benchWatch(
  lab: Lab,
  { rounds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  const vault = lab.dir();
  makeTree(vault);
  using root = Root.open(vault);
  const starts = { readyMs: [] as number[], cpuMs: [] as number[], walkMs: [] as number[] };
  const latenciesMs: number[] = [];
  let descriptors = 0;
  for (let round = -1; round < rounds; round++) {
    const walkMs = plainWalk(vault);
    const before = readdirSync("/proc/self/fd").length;
    const cpu = process.cpuUsage();
    const startMs = performance.now();
    let waiting = { path: "", told: (_ms: number) => {} };
    await using watch = new VaultWatch({
      root,
      clock: systemClock,
      warn: (reason) => console.log(reason),
      changed: ({ changes }) => {
        if (changes.some(({ path }) => path === waiting.path)) waiting.told(performance.now());
      },
    });
    await watch.ready;
    const readyMs = performance.now() - startMs;
    const { user, system } = process.cpuUsage(cpu);
    descriptors = readdirSync("/proc/self/fd").length - before;
    if (watch.size.entries !== FILES + FOLDERS) verdicts.fail();
    for (let i = 0; i < Math.ceil(CHANGES / rounds); i++) {
      const path = noteAt((i * 7919 + round + 1) % FILES);
      const told = new Promise<number>((resolve) => (waiting = { path, told: resolve }));
      const changedMs = performance.now();
      writeFileSync(join(vault, path), `changed ${i} in ${round}`);
      const toldMs = await told;
      if (round >= 0) latenciesMs.push(toldMs - changedMs);
    }
    if (round < 0) continue;
    starts.readyMs.push(readyMs);
    starts.cpuMs.push((user + system) / 1000);
    starts.walkMs.push(walkMs);
  }
  if (quantile(latenciesMs, 0.99) > MOST_LATENCY_MS) verdicts.fail();
  printTable(`Watching ${FILES} notes in ${FOLDERS} folders`, [
    ["", "value"],
    ["a plain walk with stat, ms", spread(starts.walkMs, 0)],
    ["ready after, ms (half of it paused)", spread(starts.readyMs, 0)],
    ["CPU until then, ms", spread(starts.cpuMs, 0)],
    ["descriptors", String(descriptors)],
    ["a change is told after, ms, median", median(latenciesMs).toFixed(0)],
    ["  p99", quantile(latenciesMs, 0.99).toFixed(0)],
  ]);
}

/** What the system alone takes to name and stat everything, ms. */
function plainWalk(vault: string): number {
  const startMs = performance.now();
  Bun.spawnSync(["find", vault, "-size", "+100M"], { stdout: "ignore" });
  return performance.now() - startMs;
}
