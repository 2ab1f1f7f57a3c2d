import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { CHECKS } from "../../src/audit/checks.ts";
import { AuditedNest } from "./audited-nest.ts";
import { type Mutant, MUTANTS } from "./mutants.ts";

/**
 * Each sabotage of Nest must be noticed by the audit that comes with it. All of them in CI and with NEST_ALL_MUTANTS=1,
 * a few of each kind else; three at a time, so that a small machine stays usable.
 */
const isAll = process.env["CI"] === "true" || process.env["NEST_ALL_MUTANTS"] === "1";
const AT_ONCE = 3;
const chosen = isAll ? MUTANTS : MUTANTS.filter((_, i) => i % 9 === 0);

/** So many Nests at a time. */
const slots = {
  free: AT_ONCE,
  waiting: [] as (() => void)[],
  async take(): Promise<Disposable> {
    if (this.free === 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.free--;
    return {
      [Symbol.dispose]: () => {
        const next = this.waiting.shift();
        if (next === undefined) this.free++;
        else next();
      },
    };
  },
};

async function isCaught({ edits, caughtBy }: Mutant): Promise<string> {
  await using nest = new AuditedNest(edits);
  await nest.start();
  const { checks } = await nest.report("--only", caughtBy);
  const [check] = checks;
  return check?.outcome === "skipped"
    ? `skipped: ${check.details[0]}`
    : (check?.outcome ?? "missing");
}

describe("the audit catches", () => {
  test("what is in the table, and the table has at least 25 of them", () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(25);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
    const ids = new Set(CHECKS.map(({ id }) => id));
    for (const { caughtBy } of MUTANTS) expect(ids).toContain(caughtBy);
  });

  test("nothing that has rotted: every text stands in the code exactly once", () => {
    const rotten = MUTANTS.flatMap(({ name, edits }) =>
      edits
        .map(({ file, find }) => {
          const path = join(import.meta.dir, "../../src", file);
          return { name, file, count: readFileSync(path, "utf8").split(find).length - 1 };
        })
        .filter(({ count }) => count !== 1),
    );
    expect(rotten).toEqual([]);
  });

  for (const mutant of chosen) {
    test.concurrent(
      mutant.name,
      async () => {
        using _slot = await slots.take();
        expect({ by: mutant.caughtBy, outcome: await isCaught(mutant) }).toEqual({
          by: mutant.caughtBy,
          outcome: "fell",
        });
      },
      // Waiting for a slot counts.
      300_000,
    );
  }
});
