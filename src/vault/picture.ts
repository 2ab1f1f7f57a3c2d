import { accessSync, constants, readdirSync } from "node:fs";
import { readdir } from "node:fs/promises";
import type { ChangeSet } from "./change-set.ts";
import type { Directory } from "./directory.ts";
import { errnoOf } from "./error.ts";
import { isKeptFromWatchers } from "./hidden.ts";
import { MAX_PATH_BYTES } from "./path.ts";
import { openPlain } from "./plain-walk.ts";
import type { TimeSlice } from "./time-slice.ts";
import type { Root } from "./walk.ts";

/** Things remembered; about 200 bytes each. */
const MAX_ENTRIES = 300_000;
/** A directory from this size on is read on another thread: 100,000 names take 50 ms. Bytes, as `stat` has them. */
const LARGE_DIRECTORY_BYTES = 256 * 1024;
/** A file written less than this before it was looked at may be written again under the same time stamp, ms. */
const SAME_STAMP_MS = 20;

/** Puts directories under watch. */
export interface Watches {
  /** @returns the watch's number; nothing if there are no more to be had */
  add(path: string): number | undefined;
  remove(watch: number): void;
}

/** A folder as it was last seen. */
export interface Folder {
  readonly parent: Folder | undefined;
  readonly name: string;
  readonly ino: number;
  /** Length of its path, bytes. */
  readonly pathBytes: number;
  watch: number | undefined;
  isRead: boolean;
  /** Not in the vault any more. */
  isGone: boolean;
  readonly entries: Map<string, Entry>;
}

/** Something in a folder as it was last seen. */
interface Entry {
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  /** A write that came at once would leave the same stamp. */
  readonly isFresh: boolean;
  readonly folder: Folder | undefined;
}

/**
 * The vault as it was last seen, folder by folder, to tell what has become of it: which names are new, which are gone,
 * which have another content.
 *
 * Events say only where to look; what is told is what was seen in the vault, through the pinned walk and following no
 * links. So an event that was lost is made up for by looking again, and none that comes from elsewhere is believed.
 *
 * Bounded: {@link MAX_ENTRIES}. Beyond, `isFull` is set and the rest is not seen.
 */
export class Picture {
  readonly #root: Root;
  readonly #watches: Watches | undefined;
  readonly #maxWatches: number;
  readonly #wallMs: () => number;
  readonly #byWatch = new Map<number, Folder>();
  /** Folders that are known and have not been read. */
  #unread: { folder: Folder; isNew: boolean }[] = [];
  readonly top: Folder;
  #size = 0;
  isFull = false;
  /** Folders that could not be put under watch. */
  unwatched = 0;

  constructor(root: Root, watches: Watches | undefined, maxWatches: number, wallMs: () => number) {
    this.#root = root;
    this.#watches = watches;
    this.#maxWatches = maxWatches;
    this.#wallMs = wallMs;
    this.top = folderOf(undefined, "", root.top.stat().ino);
    this.#unread.push({ folder: this.top, isNew: false });
  }

  /** Things known. */
  get size(): number {
    return this.#size;
  }

  /** Folders under watch. */
  get watched(): number {
    return this.#byWatch.size;
  }

  folderOfWatch(watch: number): Folder | undefined {
    return this.#byWatch.get(watch);
  }

  /** The system dropped a watch. */
  ended(watch: number): void {
    const folder = this.#byWatch.get(watch);
    if (folder === undefined) return;
    folder.watch = undefined;
    this.#byWatch.delete(watch);
  }

  /** All folders, parents first. */
  *folders(): Generator<Folder> {
    const rest = [this.top];
    for (let folder = rest.pop(); folder !== undefined; folder = rest.pop()) {
      yield folder;
      for (const entry of folder.entries.values()) {
        if (entry.folder !== undefined) rest.push(entry.folder);
      }
    }
  }

  /**
   * Reads one folder that has not been read, if there is one.
   *
   * @param changes - is told of all that is found in new folders
   */
  async readNext(changes: ChangeSet, slice: TimeSlice): Promise<boolean> {
    const next = this.#unread.pop();
    if (next === undefined) return false;
    const { folder, isNew } = next;
    if (folder.isGone) return true;
    using directory = this.#open(folder);
    if (directory === undefined) {
      folder.isRead = true;
      return true;
    }
    // The watch first: what comes in between is then both found and told, and seen to be the same.
    this.#watch(folder, directory);
    folder.isRead = true;
    for (const name of await namesIn(directory)) {
      if (slice.isOver) await slice.pause();
      if (!folder.entries.has(name)) this.#appear(folder, directory, name, isNew, changes);
    }
    return true;
  }

  /**
   * Looks again at names in a folder.
   *
   * @param names - each with whether its content is known to have been written; all if absent
   * @returns false if the folder is not where it was: its parent must be looked at
   */
  async compare(
    folder: Folder,
    names: ReadonlyMap<string, boolean> | undefined,
    changes: ChangeSet,
    slice: TimeSlice,
  ): Promise<boolean> {
    if (folder.isGone) return true;
    if (!folder.isRead) {
      // Only after a failure: it was found, and could not be read then.
      if (names === undefined) this.#unread.push({ folder, isNew: true });
      return true;
    }
    using directory = this.#open(folder);
    if (directory === undefined) return false;
    if (names !== undefined) {
      for (const [name, isWritten] of names) {
        if (slice.isOver) await slice.pause();
        this.#look(folder, directory, name, isWritten, changes);
      }
      return true;
    }
    this.#watch(folder, directory);
    for (const name of new Set([...folder.entries.keys(), ...(await namesIn(directory))])) {
      if (slice.isOver) await slice.pause();
      this.#look(folder, directory, name, false, changes);
    }
    return true;
  }

  #look(
    folder: Folder,
    directory: Directory,
    name: string,
    isWritten: boolean,
    changes: ChangeSet,
  ): void {
    const known = folder.entries.get(name);
    if (known === undefined) {
      this.#appear(folder, directory, name, true, changes);
      return;
    }
    const stat = directory.lstatIfAny(name);
    if (stat === undefined) {
      this.#vanish(folder, name, known, changes);
      return;
    }
    const isFolder = stat.isDirectory();
    if (isFolder !== (known.folder !== undefined) || (isFolder && stat.ino !== known.ino)) {
      // Another thing under the same name: all of the old one is gone, all of the new one is new.
      this.#vanish(folder, name, known, changes);
      this.#appear(folder, directory, name, true, changes);
      return;
    }
    if (isFolder) return;
    const { ino, size, mtimeMs } = stat;
    const isSame = ino === known.ino && size === known.size && mtimeMs === known.mtimeMs;
    if (isSame && !(isWritten && known.isFresh)) return;
    folder.entries.set(name, this.#entry(ino, size, mtimeMs, undefined));
    changes.add(pathIn(folder, name), "changed");
  }

  #appear(
    folder: Folder,
    directory: Directory,
    name: string,
    isNew: boolean,
    changes: ChangeSet,
  ): void {
    if (isKeptFromWatchers(name, folder.parent === undefined)) return;
    const pathBytes = folder.pathBytes + 1 + Buffer.byteLength(name);
    // Over the API they can't be named.
    if (pathBytes > MAX_PATH_BYTES || name.includes("\\")) return;
    const stat = directory.lstatIfAny(name);
    if (stat === undefined) return;
    if (this.#size === MAX_ENTRIES) {
      this.isFull = true;
      if (isNew) changes.lose();
      return;
    }
    this.#size++;
    const inner = stat.isDirectory() ? folderOf(folder, name, stat.ino, pathBytes) : undefined;
    folder.entries.set(name, this.#entry(stat.ino, stat.size, stat.mtimeMs, inner));
    if (isNew) changes.add(pathIn(folder, name), "created");
    if (inner !== undefined) this.#unread.push({ folder: inner, isNew });
  }

  #vanish(folder: Folder, name: string, known: Entry, changes: ChangeSet): void {
    folder.entries.delete(name);
    this.#size--;
    changes.add(pathIn(folder, name), "removed");
    if (known.folder === undefined) return;
    const rest = [known.folder];
    for (let gone = rest.pop(); gone !== undefined; gone = rest.pop()) {
      gone.isGone = true;
      this.#unwatch(gone);
      for (const [inner, entry] of gone.entries) {
        changes.add(pathIn(gone, inner), "removed");
        if (entry.folder !== undefined) rest.push(entry.folder);
      }
      this.#size -= gone.entries.size;
      gone.entries.clear();
    }
  }

  #entry(ino: number, size: number, mtimeMs: number, folder: Folder | undefined): Entry {
    const isFresh = Math.abs(this.#wallMs() - mtimeMs) < SAME_STAMP_MS;
    return { ino, size, mtimeMs, isFresh, folder };
  }

  #watch(folder: Folder, directory: Directory): void {
    if (this.#watches === undefined || folder.watch !== undefined) return;
    const mayAdd = this.#byWatch.size < this.#maxWatches;
    const watch = mayAdd ? this.#watches.add(directory.self) : undefined;
    if (watch === undefined) {
      // What may not be read may not be watched, and there is nothing to be told of it.
      if (isReadable(directory)) this.unwatched++;
      return;
    }
    // A directory that was moved keeps its watch: whoever had it before has lost it.
    const before = this.#byWatch.get(watch);
    if (before !== undefined) before.watch = undefined;
    folder.watch = watch;
    this.#byWatch.set(watch, folder);
  }

  #unwatch(folder: Folder): void {
    if (folder.watch === undefined) return;
    this.#byWatch.delete(folder.watch);
    this.#watches?.remove(folder.watch);
    folder.watch = undefined;
  }

  /** The folder, if it is still the one that was seen at its path. */
  #open(folder: Folder): Directory | undefined {
    const directory = openPlain(this.#root, namesOf(folder));
    if (directory === undefined) return undefined;
    if (directory.stat().ino === folder.ino) return directory;
    directory.close();
    return undefined;
  }
}

function folderOf(parent: Folder | undefined, name: string, ino: number, pathBytes = -1): Folder {
  return {
    parent,
    name,
    ino,
    pathBytes,
    watch: undefined,
    isRead: false,
    isGone: false,
    entries: new Map(),
  };
}

function namesOf(folder: Folder): string[] {
  const names: string[] = [];
  for (let at = folder; at.parent !== undefined; at = at.parent) names.push(at.name);
  return names.toReversed();
}

/** The path of something in a folder. */
function pathIn(folder: Folder, name: string): string {
  return folder.parent === undefined ? name : `${namesOf(folder).join("/")}/${name}`;
}

function isReadable(directory: Directory): boolean {
  try {
    accessSync(directory.self, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}

/** Names that are no UTF-8 come mangled; they are not found then, and so left out. */
async function namesIn(directory: Directory): Promise<string[]> {
  try {
    return directory.stat().size < LARGE_DIRECTORY_BYTES
      ? readdirSync(directory.self)
      : await readdir(directory.self);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "EACCES" || errno === "ENOENT") return [];
    throw error;
  }
}
