import type { World } from "./world.ts";

/** Where a check looks: at the config file, at a running Nest, or at what surrounds it. */
export type Group = "config" | "live" | "surroundings";

export const SEVERITIES = ["critical", "high", "medium", "low"] as const;
export type Severity = (typeof SEVERITIES)[number];

/**
 * What a check can't do without; where it is missing the check is skipped, and says so.
 *
 * - `config`: a config file that can be read
 * - `server`: a Nest that answers
 * - `token`: a token with the owner's scopes
 * - `vault`: the vault's folder on this machine, which the config names
 * - `addresses`: loopback addresses to attack from, so that nobody else is locked out
 */
export type Need = "config" | "server" | "token" | "vault" | "addresses";

/**
 * One row of the threat model: a threat, what Nest does about it, and the attack that shows whether it does.
 *
 * `SECURITY.md` and `docs/threat-model.md` are made from these, so every field is for people.
 */
export interface Check {
  /** Stable: options, `--json` and SARIF name checks by it. */
  readonly id: string;
  readonly group: Group;
  /** What holds if the check does. */
  readonly title: string;
  /** What an attacker does. */
  readonly threat: string;
  readonly severity: Severity;
  /** What the attacker gets by it. */
  readonly impact: string;
  /** What Nest, or its owner, does about it. */
  readonly mitigation: string;
  /** What `nest audit` tries, harmlessly. */
  readonly attack: string;
  /** Published failures of this kind: CVE and GHSA ids, threads; CWE where none is known. */
  readonly cases: readonly string[];
  /** What the owner does if it fell. */
  readonly fix: string;
  /** The test in the repository that proves the mitigation, from its root. */
  readonly test: string;
  readonly needs: readonly Need[];
  /** Failed authentications that it makes, from one address at most. None: absent. */
  readonly guesses?: number;
  /** Locks the addresses that it comes from. */
  readonly locks?: true;
  /** Longest run, ms · 20,000. */
  readonly deadlineMs?: number;
  /**
   * @returns what fell, a line each; nothing if all held
   * @throws {Skipped} where it can't tell
   */
  run(world: World): readonly string[] | Promise<readonly string[]>;
}

/** Thrown by a check that finds nothing to try. */
export class Skipped extends Error {
  override readonly name = "Skipped";
}
