import { type Caller, type Gate, gateFor } from "./access.ts";
import { Etags } from "./etag.ts";
import { explained, VaultError } from "./error.ts";
import { FolderMaker } from "./folder-maker.ts";
import { gateBelow } from "./folder-content.ts";
import { isAFolder } from "./kind.ts";
import { list, type ListOptions, type Page } from "./listing.ts";
import { move } from "./moving.ts";
import type { OpenFile } from "./open-file.ts";
import { parsePath, type VaultPath } from "./path.ts";
import { type Entry, type OpenOptions, Reader, statEntry } from "./reading.ts";
import { remove, type RemoveOptions } from "./removing.ts";
import { Search, type SearchParts } from "./search.ts";
import { sweep } from "./sweep.ts";
import { Root } from "./walk.ts";
import { VaultWatch, type VaultWatchOptions } from "./watch.ts";
import { writeFile, type WriteOptions, type Written } from "./writing.ts";

export interface VaultOptions {
  /** The folder, absolute. */
  readonly path: string;
  /** Milliseconds since 1970, of the clock that the file system has too. */
  readonly wallMs: () => number;
  /** false: as on systems that can't pin, for tests. */
  readonly mayPin?: boolean;
}

/** With what every operation can be called. */
export interface CallOptions {
  readonly caller?: Caller;
}

/**
 * The folder that the owner and the agent share. It does things to paths below its root and never gives a path away,
 * since a path that was safe a moment ago may not be any more.
 *
 * Paths are texts as {@link parsePath} wants them. Every method throws {@link VaultError}, or rejects with it; any other
 * error is our own mistake or the disk's.
 */
export class Vault {
  readonly #root: Root;
  readonly #etags: Etags;
  readonly #reader: Reader;
  readonly #wallMs: () => number;

  /** @throws the system's error if the folder can't be opened */
  constructor({ path, wallMs, mayPin }: VaultOptions) {
    this.#root = Root.open(path, mayPin);
    this.#wallMs = wallMs;
    this.#etags = new Etags(wallMs);
    this.#reader = new Reader(this.#root, this.#etags);
  }

  /** Whether swaps of folders and links can't be raced here; if not, the owner must be told at the start. */
  get pins(): boolean {
    return this.#root.pins;
  }

  /** Removes what a crash left unfinished: at the start, before anything is written. @returns how many things */
  sweep(): Promise<number> {
    return sweep(this.#root);
  }

  stat(path: string, { caller }: CallOptions = {}): Entry {
    return this.#run("look at", path, caller, "read", (parsed, gate) =>
      statEntry(this.#root, parsed, gate),
    );
  }

  /**
   * Opens a file for reading. In one turn of the event loop if it is small (64 KiB) or its ETag is remembered.
   *
   * @returns to be closed, unless its body is taken
   */
  open(path: string, options: CallOptions & OpenOptions = {}): OpenFile | Promise<OpenFile> {
    return this.#run("read", path, options.caller, "read", (parsed, gate) =>
      this.#reader.open(parsed, gate, options),
    );
  }

  /** Reads a whole file in one turn of the event loop, for callers who may not wait. */
  readNow(
    path: string,
    { caller, maxBytes }: CallOptions & { readonly maxBytes: number },
  ): Uint8Array<ArrayBuffer> {
    return this.#run("read", path, caller, "read", (parsed, gate) =>
      this.#reader.readNow(parsed, gate, maxBytes),
    );
  }

  /** A page of a folder, sorted by path. */
  list(dir: string, { caller, ...options }: CallOptions & ListOptions = {}): Promise<Page> {
    return this.#later("list", dir, caller, "read", ({ names }, gate) => {
      const prefix = names.length === 0 ? "" : `${names.join("/")}/`;
      return list(this.#root, names, prefix, options, gate);
    });
  }

  /** Stores a file as a whole, durably; its folders are made. */
  write(
    path: string,
    body: Uint8Array | ReadableStream<Uint8Array>,
    { caller, ...options }: CallOptions & WriteOptions,
  ): Promise<Written> {
    return this.#later("write", path, caller, "write", ({ names, isFolder }, gate) => {
      if (isFolder && names.length > 0) throw isAFolder();
      return writeFile(this.#root, this.#etags, names, body, options, gate);
    });
  }

  /** Makes a folder and those that are missing on the way. @returns false if it was there */
  makeDirectory(path: string, { caller }: CallOptions = {}): Promise<boolean> {
    return this.#later("make folder", path, caller, "write", async ({ names }, gate) => {
      if (names.length === 0) return false;
      const folders = new FolderMaker(this.#root, gate);
      const isNew = folders.make(names);
      await folders.synced();
      return isNew;
    });
  }

  /** Moves a file, a link or a folder; overwrites only if asked. */
  move(
    from: string,
    to: string,
    { caller, overwrite = false }: CallOptions & { readonly overwrite?: boolean } = {},
  ): Promise<void> {
    return this.#later("move", from, caller, "write", async (source, gate) => {
      if (caller?.isLimited === true) await gateBelow(this.#root, source.names, gate);
      await this.#later("move to", to, caller, "write", (target) =>
        move(this.#root, source, target, overwrite, this.#wallMs(), gate),
      );
    });
  }

  /** Deletes into the trash, or for good. @returns the path in the trash; moving it back restores it */
  async remove(
    path: string,
    { caller, ...options }: CallOptions & RemoveOptions = {},
  ): Promise<string | undefined> {
    const names = await this.#later("delete", path, caller, "write", async (parsed, gate) => {
      if (caller?.isLimited === true) await gateBelow(this.#root, parsed.names, gate);
      return await remove(this.#root, parsed, options, this.#wallMs(), gate);
    });
    return names?.join("/");
  }

  /** What searches the vault; a few at a time, so one for all callers. */
  searcher(parts: Omit<SearchParts, "root">): Search {
    return new Search({ ...parts, root: this.#root });
  }

  /** Tells of changes in the vault until it is disposed of; before the vault is closed. */
  watch(options: Omit<VaultWatchOptions, "root">): VaultWatch {
    return new VaultWatch({ ...options, root: this.#root });
  }

  close(): void {
    this.#root.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #run<T>(
    doing: string,
    path: string,
    caller: Caller | undefined,
    access: "read" | "write",
    act: (path: VaultPath, gate: Gate) => T,
  ): T {
    try {
      const parsed = parsePath(path);
      const gate = gateFor(access, caller);
      // As it was asked for, before anything is told by what is there; and again as it turns out without links.
      gate(parsed.names);
      const result = act(parsed, gate);
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => {
        throw refusal(error, doing, path, caller);
      }) as T;
    } catch (error) {
      throw refusal(error, doing, path, caller);
    }
  }

  /** What comes later fails later, too. */
  async #later<T>(
    doing: string,
    path: string,
    caller: Caller | undefined,
    access: "read" | "write",
    act: (path: VaultPath, gate: Gate) => Promise<T>,
  ): Promise<T> {
    return await this.#run(doing, path, caller, access, act);
  }
}

/** Refusals that have been told of: one that passes through two operations is one. */
const told = new WeakSet<VaultError>();

function refusal(error: unknown, doing: string, path: string, caller?: Caller): unknown {
  const refused = explained(error, doing, path);
  if (refused instanceof VaultError && refused.isViolation && !told.has(refused)) {
    told.add(refused);
    caller?.violated?.({ operation: doing, path, code: refused.code });
  }
  return refused;
}
