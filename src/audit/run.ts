import { type Check, type Need, Skipped } from "./check.ts";
import type { World } from "./world.ts";

export type Outcome = "held" | "fell" | "skipped" | "failed";

export interface Result {
  readonly check: Check;
  readonly outcome: Outcome;
  /** What fell; why it was skipped; why it could not run. */
  readonly details: readonly string[];
  readonly elapsedMs: number;
}

export interface RunOptions {
  /** Ids, or groups, or what an id begins with up to a dot: `lockout`. Empty: all. */
  readonly only: readonly string[];
  readonly skip: readonly string[];
  /** The owner has agreed to being locked out for a minute; asked only where attacks have no addresses of their own. */
  readonly mayLockOut: boolean;
  /** Told of each result as it comes. */
  readonly tell: (result: Result) => void;
  readonly signal: AbortSignal;
}

/** Checks under way at the same time. */
const MAX_AT_ONCE = 6;
const DEADLINE_MS = 20_000;

/** True for a check that a word of `--only` or `--skip` means. */
export function isMeant({ id, group }: Check, words: readonly string[]): boolean {
  return words.some((word) => id === word || group === word || id.startsWith(`${word}.`));
}

/** Those that are to run, in their order: what locks an address comes last. */
export function chosen(
  checks: readonly Check[],
  { only, skip }: Pick<RunOptions, "only" | "skip">,
): Check[] {
  const meant = checks.filter(
    (check) => (only.length === 0 || isMeant(check, only)) && !isMeant(check, skip),
  );
  return [...meant.filter(({ locks }) => !locks), ...meant.filter(({ locks }) => locks)];
}

/** Runs checks, several at a time, each with its deadline. Results come in the order of the table. */
export async function run(
  checks: readonly Check[],
  world: World,
  options: RunOptions,
): Promise<readonly Result[]> {
  const queue = chosen(checks, options);
  const quiet = queue.filter(({ locks }) => !locks);
  const locking = queue.filter(({ locks }) => locks);
  const results = new Map<Check, Result>();
  let budget = sharedGuesses(world);
  const next = async (list: Check[]) => {
    for (let check = list.shift(); check !== undefined; check = list.shift()) {
      if (options.signal.aborted) return;
      const reason = missing(check, world, options) ?? spend(check);
      const result =
        reason === undefined
          ? await runOne(check, world, options.signal)
          : { check, outcome: "skipped" as const, details: [reason], elapsedMs: 0 };
      results.set(check, result);
      options.tell(result);
    }
  };
  const hasAddresses = world.target?.hasAddresses === true;
  /** Where all come from one address, what guesses must not lock it before the others are done. */
  function spend({ guesses = 0, locks }: Check): string | undefined {
    if (hasAddresses || guesses === 0 || locks) return undefined;
    if (guesses >= budget) return "too many guesses from one address; run it where Nest runs";
    budget -= guesses;
    return undefined;
  }
  await Promise.all(Array.from({ length: MAX_AT_ONCE }, () => next(quiet)));
  // Each from an address of its own they don't meet; from one address the first locks it for the others.
  const atOnce = hasAddresses ? 3 : 1;
  await Promise.all(
    Array.from({ length: atOnce }, () => next(hasAddresses ? locking : locking.splice(0, 1))),
  );
  for (const check of locking) {
    const details = ["the address is locked by the check before; run it where Nest runs"];
    results.set(check, { check, outcome: "skipped", details, elapsedMs: 0 });
  }
  return checks.flatMap((check) => results.get(check) ?? []);
}

/** Wrong guesses that one address may make before it is locked. */
function sharedGuesses({ config }: World): number {
  return config?.config?.server.rateLimit.maxFailures ?? 10;
}

async function runOne(check: Check, world: World, signal: AbortSignal): Promise<Result> {
  const { clock } = world;
  const startMs = clock.monotonicMs();
  const deadlineMs = check.deadlineMs ?? DEADLINE_MS;
  let cancel = () => {};
  const late = new Promise<never>((_, reject) => {
    const stop = () => reject(new Error("stopped"));
    signal.addEventListener("abort", stop);
    const cancelTimer = clock.after(deadlineMs, () =>
      reject(new Error(`not done within ${deadlineMs / 1000} s`)),
    );
    cancel = () => {
      cancelTimer();
      signal.removeEventListener("abort", stop);
    };
  });
  const end = (outcome: Outcome, details: readonly string[]): Result => ({
    check,
    outcome,
    details,
    elapsedMs: Math.round(clock.monotonicMs() - startMs),
  });
  try {
    const fell = await Promise.race([Promise.resolve().then(() => check.run(world)), late]);
    return fell.length === 0 ? end("held", []) : end("fell", fell);
  } catch (error) {
    if (error instanceof Skipped) return end("skipped", [error.message]);
    return end("failed", [(error as Error).message]);
  } finally {
    cancel();
  }
}

/** Why a check can't run here; nothing if it can. */
function missing(check: Check, world: World, { mayLockOut }: RunOptions): string | undefined {
  const { target } = world;
  const has: Record<Need, boolean> = {
    config: world.config?.config !== undefined,
    server: target !== undefined,
    token: target?.token !== undefined,
    vault: world.config?.config !== undefined && target !== undefined,
    addresses: target?.hasAddresses === true,
  };
  const need = check.needs.find((one) => !has[one]);
  if (need !== undefined) return MISSING[need];
  const isShared = target?.hasAddresses === false;
  if (isShared && (check.locks || (check.guesses ?? 0) > 0) && !mayLockOut)
    return "it could lock out the address that you come from: say --yes, or run it where Nest runs";
  return undefined;
}

const MISSING: Readonly<Record<Need, string>> = {
  config: "needs a config: --config FILE",
  server: "needs a running Nest",
  token: "needs the owner's token: NEST_TOKEN or --token-file",
  vault: "needs the config and the vault on this machine: --config FILE",
  addresses: "needs loopback addresses of its own: run it where Nest runs, on Linux",
};
