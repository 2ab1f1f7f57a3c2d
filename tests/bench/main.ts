import { cpus } from "node:os";
import { benchEvents } from "./events.ts";
import { benchFiles } from "./files.ts";
import { benchHttp } from "./http.ts";
import { Lab } from "./lab.ts";
import { type BenchOptions, CannotBench, parseOptions } from "./options.ts";
import { PINNING, pinOurselves } from "./pinning.ts";
import { benchSearch } from "./search.ts";
import { benchReliability } from "./reliability.ts";
import { benchStart } from "./start.ts";
import { benchTurn } from "./turn.ts";
import { benchUpgrades } from "./upgrades.ts";
import { benchVault } from "./vault.ts";
import { Verdicts } from "./verdict.ts";
import { benchWatch } from "./watch.ts";

/**
 * `bun run bench [GROUP…] [--rounds N] [--seconds S]`: what Nest costs, as ratios to something bare
 * that is measured in the same minutes on the same machine. Absolute numbers of a shared machine mean little.
 *
 * Ends with 0, with 1 if a target was missed or an answer was wrong, with 2 if it can't run.
 */

const GROUPS: Readonly<
  Record<string, (lab: Lab, options: BenchOptions, verdicts: Verdicts) => Promise<void>>
> = {
  http: benchHttp,
  files: benchFiles,
  vault: benchVault,
  search: benchSearch,
  watch: benchWatch,
  events: benchEvents,
  turn: benchTurn,
  reliability: benchReliability,
  upgrades: benchUpgrades,
  start: benchStart,
};

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, Object.keys(GROUPS));
  pinOurselves();
  const cpu = cpus();
  console.log(`Bun ${Bun.version}, ${cpu.length} × ${cpu[0]?.model ?? "unknown"}, ${PINNING}`);
  const verdicts = new Verdicts();
  for (const [name, run] of Object.entries(GROUPS)) {
    if (!options.groups.has(name)) continue;
    // A group at a time has its servers running: idle ones cost little, but not nothing.
    const lab = new Lab();
    current = lab;
    try {
      await run(lab, options, verdicts);
    } catch (error) {
      if (error instanceof CannotBench) throw error;
      verdicts.fail();
      console.log(`\n${name} FAILED: ${(error as Error).message}`);
    } finally {
      await lab[Symbol.asyncDispose]();
    }
  }
  return verdicts.failed === 0 ? 0 : 1;
}

let current: Lab | undefined;
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const) {
  process.on(signal, async () => {
    await current?.[Symbol.asyncDispose]();
    process.exit(code);
  });
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof CannotBench)) throw error;
  console.error(error.message);
  process.exit(2);
}
