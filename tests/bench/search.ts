import { systemClock } from "../../src/cli/clock.ts";
import { Search } from "../../src/vault/search.ts";
import { Root } from "../../src/vault/walk.ts";
import type { Lab } from "./lab.ts";
import type { BenchOptions } from "./options.ts";
import { interleave, type Variant } from "./rounds.ts";
import { median, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import { FILES, makeTree } from "./vault-tree.ts";
import type { Verdicts } from "./verdict.ts";

const QUERIES = [
  { name: "found nowhere", query: "nothing of this kind", least: 0 },
  { name: "found everywhere", query: "LOREM", least: 100 },
];
const GREP = "grep -rFi";

/** A search of 50,000 notes, in ms, beside `grep` reading them all. */
export async function benchSearch(
  lab: Lab,
  { rounds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  const vault = lab.dir();
  makeTree(vault);
  const rg = Bun.which("rg");
  using root = Root.open(vault);
  const rows: string[][] = [];
  for (const { name, query, least } of QUERIES) {
    const nest = (ripgrep?: string) => async () => {
      const startMs = performance.now();
      const found = await new Search({ root, clock: systemClock, ripgrep }).find(query);
      if (found.matches.length !== least) verdicts.fail();
      return performance.now() - startMs;
    };
    const variants: Variant<number>[] = [
      {
        name: GREP,
        measure: async () => {
          const startMs = performance.now();
          await lab.own(Bun.spawn(["grep", "-rFi", query, vault], { stdout: "ignore" })).exited;
          return performance.now() - startMs;
        },
      },
      ...(rg === null ? [] : [{ name: "Nest with ripgrep", measure: nest(rg) }]),
      { name: "Nest by itself", measure: nest() },
    ];
    const samples = await interleave(variants, rounds);
    const grep = samples.get(GREP) as number[];
    for (const [variant, times] of samples) {
      rows.push([`${name}: ${variant}`, spread(times, 0), median(ratios(times, grep)).toFixed(2)]);
    }
  }
  printTable(
    `Searching ${FILES} notes; Nest stops at 100 matches and works at most 8 ms in one go`,
    [["", "ms (middle half)", "of grep's time"], ...rows],
  );
}
