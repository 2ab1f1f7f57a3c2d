import type { VaultChange, VaultFrame } from "../../attach/protocol.ts";

/** @param isMore - more has changed than is listed: what is shown should be read anew */
type Listener = (changes: readonly VaultChange[], isMore: boolean) => void;

const listeners = new Set<Listener>();

/** Hears of every change in the vault while a session is attached; the returned function ends that. */
export function onVaultChanges(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** Hands a frame of the socket on. */
export function tellVaultChanges({ changes, resync }: VaultFrame): void {
  for (const listener of listeners) listener(changes, resync === true);
}

/** After a time without a connection nobody knows what has changed. */
export function tellVaultUnknown(): void {
  for (const listener of listeners) listener([], true);
}
