import { VaultError } from "./error.ts";
import { isReserved, UNFINISHED_FOLDER } from "./unfinished.ts";

export type Access = "read" | "write";

/** An attempt that was refused. Everything in it comes from outside: quote it where lines are written. */
export interface Violation {
  readonly operation: string;
  readonly path: string;
  readonly code: string;
}

/** On whose behalf something is done. */
export interface Caller {
  /**
   * Whether this caller may do it there: asked with the path as it turned out without links, right before it is done.
   * The seam for tokens that must not touch `.pi/` and the like. Absent: may do everything.
   */
  readonly may?: (names: readonly string[], access: Access) => boolean;
  /** `may` says no to some paths that can be written to: then folders are looked into before they are moved or deleted. */
  readonly isLimited?: boolean;
  /** Told of every attempt to leave the vault, or to get at what is not the caller's. */
  readonly violated?: (violation: Violation) => void;
}

/** @throws {VaultError} `reserved`, `protected_path` */
export type Gate = (names: readonly string[]) => void;

export function gateFor(access: Access, caller: Caller | undefined): Gate {
  return caller?.may === undefined
    ? assertNotReserved
    : (names) => {
        assertNotReserved(names);
        if (caller.may?.(names, access) === false) {
          throw new VaultError("protected_path", "Cannot use this path: it needs another scope");
        }
      };
}

function assertNotReserved(names: readonly string[]): void {
  if (names.some(isReserved)) {
    throw new VaultError("reserved", `Cannot use this path: "${UNFINISHED_FOLDER}" is Nest's own`);
  }
}
