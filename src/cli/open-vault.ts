import { accessSync, constants, mkdirSync, mkdtempSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import { Vault } from "../vault/vault.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";

/**
 * Opens the vault once: whatever is put in its place later is not the vault. It is made if it is not there, and what a
 * crash left unfinished is removed; so nobody else may be using it.
 *
 * @throws {Exit} in one line, if it can't be used
 */
export function openVault(path: string, clock: Clock, log: Log): Vault {
  prepareVault(path);
  const vault = new Vault({ path, wallMs: () => clock.wallMs() });
  if (!vault.pins) {
    log.warn("vault_not_pinned", {
      reason:
        "this system can't hold folders open, so whoever can write to the vault can race its checks",
      fix: "run Nest on Linux with /proc mounted, or let nobody else write to the vault",
    });
  }
  // What there is to sweep is known before this returns: nothing written from now on is among it.
  vault.sweep().then(
    (count) => {
      if (count > 0) log.info("vault_swept", { unfinished: count });
    },
    (error) => log.warn("vault_not_swept", { reason: String((error as Error).message) }),
  );
  return vault;
}

/** Makes the vault and sees that it can be written to, for real: a read-only mount passes access(2) for root. */
function prepareVault(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    rmdirSync(mkdtempSync(join(path, ".nest-write-test-")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Exit(
      EXIT_USAGE,
      `Cannot use the vault "${path}": it can't be written to (${code}). Set vault.path to a folder of yours`,
    );
  }
}
