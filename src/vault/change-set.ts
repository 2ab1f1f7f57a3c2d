export type ChangeKind = "created" | "changed" | "removed";

export interface VaultChange {
  /** Below the vault, `/`-separated. A file, a folder or a link. */
  readonly path: string;
  readonly kind: ChangeKind;
}

/** What happened in the vault since the last of these. */
export interface VaultChanges {
  /** Removed ones first, then by path; each path once. */
  readonly changes: readonly VaultChange[];
  /** More happened than is listed: read anew what is shown. */
  readonly resync: boolean;
}

/** Most changes told at once, and the length of their paths together, UTF-16 units: beyond, reading anew is cheaper. */
const MAX_CHANGES = 1000;
const MAX_LENGTH = 256 * 1024;

/** Changes that wait to be told, as few as say the same. */
export class ChangeSet {
  readonly #kinds = new Map<string, ChangeKind>();
  #length = 0;
  #resync = false;

  get isEmpty(): boolean {
    return this.#kinds.size === 0 && !this.#resync;
  }

  add(path: string, kind: ChangeKind): void {
    const before = this.#kinds.get(path);
    if (before === undefined) {
      if (this.#kinds.size === MAX_CHANGES || this.#length + path.length > MAX_LENGTH) {
        this.lose();
        return;
      }
      this.#length += path.length;
    }
    const both = combine(before, kind);
    if (both === undefined) {
      this.#kinds.delete(path);
      this.#length -= path.length;
    } else this.#kinds.set(path, both);
  }

  /** Too much, or not known. */
  lose(): void {
    this.#kinds.clear();
    this.#length = 0;
    this.#resync = true;
  }

  take(): VaultChanges {
    const changes = [...this.#kinds]
      .map(([path, kind]) => ({ path, kind }))
      .toSorted((a, b) => rank(a) - rank(b) || (a.path < b.path ? -1 : 1));
    const taken = { changes, resync: this.#resync };
    this.#kinds.clear();
    this.#length = 0;
    this.#resync = false;
    return taken;
  }
}

function rank({ kind }: VaultChange): number {
  return kind === "removed" ? 0 : 1;
}

/** Two changes of one path as one; nothing if nothing is left of them. */
function combine(before: ChangeKind | undefined, then: ChangeKind): ChangeKind | undefined {
  if (before === "created") return then === "removed" ? undefined : "created";
  if (before === "removed" && then === "created") return "changed";
  return then;
}
