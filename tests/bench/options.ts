import { parseArgs } from "node:util";

/** What one run of the bench is asked to do. */
export interface BenchOptions {
  /** Groups to run, all if empty. */
  readonly groups: ReadonlySet<string>;
  /** Rounds of each group, count · 1 to 1000 · 9. Every round runs every variant once. */
  readonly rounds: number;
  /** How long each variant is measured in a round, whole seconds (wrk takes no fractions) · 1 to 600 · 1. */
  readonly seconds: number;
}

/** Raised for a command line or a machine that the bench can't work with; the message is for people. */
export class CannotBench extends Error {
  override readonly name = "CannotBench";
}

/** @throws {CannotBench} */
export function parseOptions(args: readonly string[], known: readonly string[]): BenchOptions {
  const usage = `bun run bench [${known.join("|")}…] [--rounds N] [--seconds S]`;
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { rounds: { type: "string" }, seconds: { type: "string" } },
    });
  } catch (error) {
    throw new CannotBench(`${(error as Error).message}\n${usage}`);
  }
  const { values, positionals } = parsed;
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new CannotBench(`Cannot run "${unknown}": no such group\n${usage}`);
  return {
    groups: new Set(positionals.length === 0 ? known : positionals),
    rounds: whole("--rounds", values.rounds ?? "9", 1000),
    seconds: whole("--seconds", values.seconds ?? "1", 600),
  };
}

function whole(option: string, text: string, max: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1 || value > max) {
    throw new CannotBench(
      `Cannot use ${option} "${text}": expected a whole number from 1 to ${max}`,
    );
  }
  return value;
}
