import type { Attach } from "../attach/attach.ts";
import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import type { Vault } from "../vault/vault.ts";

/** Tells the sockets of changes in the vault. One that can't be watched is no reason not to start. */
export function watchVault(vault: Vault, attach: Attach, clock: Clock, log: Log): AsyncDisposable {
  const warn = (reason: string) =>
    log.warn("vault_watch_incomplete", { reason: `Cannot watch all of the vault: ${reason}` });
  try {
    return vault.watch({
      clock,
      warn,
      changed: ({ changes, resync }) => attach.tellVaultChanges(changes, resync),
    });
  } catch (error) {
    warn((error as Error).message);
    return { [Symbol.asyncDispose]: () => Promise.resolve() };
  }
}
