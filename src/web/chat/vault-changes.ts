/** A file of the vault that changed, as the server saw it. */
export interface VaultChange {
  readonly path: string;
  readonly kind: string;
}

type Listener = (changes: readonly VaultChange[]) => void;

const listeners = new Set<Listener>();

/** Hears of every change in the vault while a session is attached; the returned function ends that. */
export function onVaultChanges(listener: Listener): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** @param frame - of type `vault`, as it came */
export function tellVaultChanges(frame: { readonly changes?: unknown }): void {
  if (!Array.isArray(frame.changes)) return;
  const changes = frame.changes.filter(
    (change): change is VaultChange =>
      typeof change?.path === "string" && typeof change.kind === "string",
  );
  for (const listener of listeners) listener(changes);
}
