import { closeSync, fstatSync, type Stats } from "node:fs";
import type { Gate } from "./access.ts";
import type { Directory } from "./directory.ts";
import { type Etags, readWhole, SMALL_BYTES } from "./etag.ts";
import { specialFile, VaultError } from "./error.ts";
import { assertOrdinary, isAFolder, openToRead } from "./kind.ts";
import { LargeFile, type OpenFile, SmallFile } from "./open-file.ts";
import type { VaultPath } from "./path.ts";
import { MET_LINK, type Root } from "./walk.ts";

/** What is known of a name without opening it. */
export interface Entry {
  readonly type: "file" | "dir";
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

/** Looks at what a path leads to, links followed. */
export function statEntry(root: Root, path: VaultPath, gate: Gate): Entry {
  if (path.names.length === 0) {
    root.assertThere();
    return entryOf(root.top.stat());
  }
  return root.withParent(path.names, (directory, name, names) => {
    gate(names);
    const stats = directory.lstat(name);
    if (stats.isSymbolicLink()) return MET_LINK;
    assertOrdinary(stats);
    assertFolderIfMeant(path, stats);
    return entryOf(stats);
  });
}

function entryOf(stats: Stats): Entry {
  return {
    type: stats.isDirectory() ? "dir" : "file",
    size: stats.size,
    modifiedMs: stats.mtimeMs,
  };
}

/** `file/` names nothing. */
export function assertFolderIfMeant(path: VaultPath, stats: Stats): void {
  if (path.isFolder && !stats.isDirectory()) {
    throw new VaultError("not_found", "A file stands where a folder is meant");
  }
}

export interface OpenOptions {
  readonly signal?: AbortSignal;
  /** false: large files are not hashed, for callers that don't need an ETag. */
  readonly hashed?: boolean;
}

/** Opens files to be read. */
export class Reader {
  readonly #root: Root;
  readonly #etags: Etags;

  constructor(root: Root, etags: Etags) {
    this.#root = root;
    this.#etags = etags;
  }

  /**
   * @returns at once for small files and known large ones; else when the file has been hashed, since the ETag goes out
   * before the first byte
   */
  open(path: VaultPath, gate: Gate, options: OpenOptions): OpenFile | Promise<OpenFile> {
    const { descriptor, stats } = this.#openFile(path, gate);
    let isKept = false;
    try {
      if (stats.size <= SMALL_BYTES) {
        return new SmallFile(readWhole(descriptor, stats.size), stats.mtimeMs);
      }
      isKept = true;
      const etag = this.#etags.remembered(stats);
      if (etag !== undefined || options.hashed === false) {
        return new LargeFile(descriptor, stats, etag);
      }
      return this.#hashed(descriptor, stats, options.signal);
    } finally {
      if (!isKept) closeSync(descriptor);
    }
  }

  /**
   * Reads a whole file in one turn of the event loop.
   *
   * @throws {VaultError} `too_large`
   */
  readNow(path: VaultPath, gate: Gate, maxBytes: number): Uint8Array<ArrayBuffer> {
    const { descriptor, stats } = this.#openFile(path, gate);
    try {
      if (stats.size > maxBytes) throw new VaultError("too_large", `more than ${maxBytes} bytes`);
      return readWhole(descriptor, stats.size);
    } finally {
      closeSync(descriptor);
    }
  }

  /** @returns a descriptor of a regular file, to be closed by the caller */
  #openFile(path: VaultPath, gate: Gate): { descriptor: number; stats: Stats } {
    if (path.names.length === 0) throw isAFolder();
    const descriptor = this.#root.withParent(path.names, (directory, name, names) => {
      gate(names);
      return this.#openOrdinary(directory, name);
    });
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw stats.isDirectory() ? isAFolder() : specialFile();
      assertFolderIfMeant(path, stats);
      return { descriptor, stats };
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  /**
   * Nothing but a file is opened, unless it is swapped for something else in the moment between. Not to be skipped for
   * what was a file before: to open a FIFO wakes its writer, to open a device may do anything.
   */
  #openOrdinary(directory: Directory, name: string): number | typeof MET_LINK {
    const stats = directory.lstat(name);
    if (stats.isSymbolicLink()) return MET_LINK;
    if (assertOrdinary(stats) === "dir") throw isAFolder();
    return openToRead(directory, name);
  }

  async #hashed(descriptor: number, stats: Stats, signal?: AbortSignal): Promise<OpenFile> {
    let isKept = false;
    try {
      const etag = await this.#etags.hash(descriptor, stats, () => fstatSync(descriptor), signal);
      const file = new LargeFile(
        descriptor,
        etag === undefined ? fstatSync(descriptor) : stats,
        etag,
      );
      isKept = true;
      return file;
    } finally {
      if (!isKept) closeSync(descriptor);
    }
  }
}
