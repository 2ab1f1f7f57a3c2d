import type { Config } from "../config/config.ts";
import type { AuditClock } from "./raw-connection.ts";
import type { Scratch } from "./scratch.ts";
import type { Target } from "./target.ts";

/** A config file, as far as it could be read. */
export interface AuditedConfig {
  /** As the owner named it. */
  readonly file: string;
  /** Absolute. */
  readonly path: string;
  /** Absent where it has problems. */
  readonly config: Config | undefined;
  /** As they are shown to the owner: place and words, never a secret. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** The YAML's plain value: what is a literal and what a reference. */
  readonly raw: unknown;
}

/** All that checks look at. */
export interface World {
  readonly clock: AuditClock;
  readonly config: AuditedConfig | undefined;
  readonly target: Target | undefined;
  readonly scratch: Scratch | undefined;
  /** In Nest's container: the privileges that this process still has, a line each. Absent elsewhere. */
  readonly privileges: readonly string[] | undefined;
  /** Version of this Nest. */
  readonly version: string;
  /** Folder that Nest's code lies in. */
  readonly codeFolder: string;
  /** A folder outside the vault for what must not be reached: made anew, removed at the end. */
  readonly outside: () => string;
}

/** The config of a check that needs one. */
export function configOf({ config }: World): AuditedConfig & { readonly config: Config } {
  if (config?.config === undefined) throw new Error("this check needs a config");
  return config as AuditedConfig & { readonly config: Config };
}

/** The server of a check that needs one. */
export function targetOf({ target }: World): Target {
  if (target === undefined) throw new Error("this check needs a server");
  return target;
}

/** Guesses after which an address is locked, as configured or by default. */
export function maxFailures({ config }: World): number {
  return config?.config?.server.rateLimit.maxFailures ?? 10;
}
