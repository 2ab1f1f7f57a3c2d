import type { Dirent } from "node:fs";
import { lstat, readdir } from "node:fs/promises";
import type { Gate } from "./access.ts";
import type { Directory } from "./directory.ts";
import { errnoOf, VaultError } from "./error.ts";
import { type Kind, kindOf } from "./kind.ts";
import { isReserved } from "./unfinished.ts";
import type { Root } from "./walk.ts";

/** Entries in a page. */
const DEFAULT_LIMIT = 1000;
const MAX_LIMIT = 10_000;
/** Levels of folders gone down into. */
const MAX_LIST_DEPTH = 64;
/** Entries looked at in one turn of the event loop: some 1 ms. */
const TURN_ENTRIES = 512;

export interface ListOptions {
  /** Levels of folders, from 1 (what is in the folder itself, the default) to 64. */
  readonly depth?: number | undefined;
  /** Names that begin with a dot, too. */
  readonly hidden?: boolean;
  /** Entries in a page, 1 to 10,000, default 1,000. */
  readonly limit?: number | undefined;
  /** What came with the page before. */
  readonly cursor?: string | undefined;
  readonly signal?: AbortSignal;
}

export interface ListedEntry {
  /** From the vault's root, by the way that was asked for. */
  readonly path: string;
  readonly name: string;
  readonly type: Kind;
  /** Bytes; of a link, its own. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
}

export interface Page {
  readonly entries: ListedEntry[];
  /** For the next page; absent in the last. */
  readonly cursor?: string;
}

/**
 * Lists a folder, sorted by path (by UTF-16 code units, as `<` compares in JavaScript), a page at a time. Links are
 * listed as links, nothing is looked at through them; FIFOs, sockets and devices are left out.
 *
 * A page begins behind the last path of the one before, so what comes or goes meanwhile moves nothing between pages.
 * Each page reads the names of the folder again; only those of the page are looked at. Memory: the names of one folder
 * at each level, and a page.
 *
 * @param prefix - how the folder's path begins every entry's, "" or ending in "/"
 * @throws {VaultError} `bad_path` for a wrong option or cursor
 */
export async function list(
  root: Root,
  names: readonly string[],
  prefix: string,
  options: ListOptions,
  gate: Gate,
): Promise<Page> {
  const depth = whole("depth", options.depth ?? 1, MAX_LIST_DEPTH);
  const limit = whole("limit", options.limit ?? DEFAULT_LIMIT, MAX_LIMIT);
  const after = options.cursor === undefined ? "" : readCursor(options.cursor);
  const { directory, names: walked } = root.openDirectory(names);
  try {
    gate(walked);
    // One more tells whether there is another page.
    const lister = new Lister(limit + 1, options);
    await lister.list(directory, "", after, depth);
    const entries = lister.entries.slice(0, limit);
    const last = entries.at(-1);
    for (const entry of entries) entry.path = prefix + entry.path;
    if (lister.entries.length <= limit || last === undefined) return { entries };
    return { entries, cursor: cursorOf(last.path.slice(prefix.length)) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") root.assertThere();
    throw error;
  } finally {
    directory.close();
  }
}

class Lister {
  readonly entries: { -readonly [Key in keyof ListedEntry]: ListedEntry[Key] }[] = [];
  readonly #limit: number;
  readonly #hidden: boolean;
  readonly #signal: AbortSignal | undefined;
  #looked = 0;

  constructor(limit: number, { hidden, signal }: ListOptions) {
    this.#limit = limit;
    this.#hidden = hidden === true;
    this.#signal = signal;
  }

  /**
   * @param path - of the directory, from the one that is listed, "" or ending in "/"
   * @param after - paths up to this one are left out
   */
  async list(directory: Directory, path: string, after: string, depth: number): Promise<void> {
    this.#signal?.throwIfAborted();
    const isShown = (name: string) => !name.startsWith(".") || (this.#hidden && !isReserved(name));
    // In order, what is in a folder `a` stands behind `a.md`, since "/" is greater than ".": so a folder has two places,
    // its own and that of its content.
    let places: string[];
    if (depth > 1) {
      const dirents = await readdir(directory.self, { withFileTypes: true });
      places = dirents.flatMap((dirent) =>
        isShown(dirent.name) ? placesOf(dirent, path, after) : [],
      );
    } else {
      const names = await readdir(directory.self);
      places = names.filter((name) => isShown(name) && path + name > after);
    }
    // Not every place makes an entry: some are of no kind that is listed, some are gone, folders may be empty.
    for (let last = ""; this.entries.length < this.#limit;) {
      const next = smallest(places, this.#limit - this.entries.length, last);
      if (next.length === 0) return;
      for (const place of next) {
        if (this.entries.length >= this.#limit) return;
        if (!place.endsWith("/")) await this.#look(directory, place, path);
        else await this.#goDown(directory, place.slice(0, -1), path + place, after, depth - 1);
        last = place;
      }
    }
  }

  async #goDown(
    directory: Directory,
    name: string,
    path: string,
    after: string,
    depth: number,
  ): Promise<void> {
    let below: Directory | undefined;
    try {
      // Not there any more, or another thing by now: then there is nothing in it.
      below = directory.open(name);
      if (below !== undefined) await this.list(below, path, after, depth);
    } catch (error) {
      const errno = errnoOf(error);
      if (errno !== "ENOENT" && errno !== "EACCES" && errno !== "EPERM") throw error;
    } finally {
      below?.close();
    }
  }

  async #look(directory: Directory, name: string, path: string): Promise<void> {
    // Now and then by a thread, so that others get their turn.
    const isTurn = ++this.#looked % TURN_ENTRIES === 0;
    if (isTurn) this.#signal?.throwIfAborted();
    let stats;
    if (isTurn) {
      stats = await lstat(directory.at(name)).catch(() => undefined);
    } else {
      stats = directory.lstatIfAny(name);
    }
    const type = stats && kindOf(stats);
    if (stats === undefined || type === undefined) return;
    this.entries.push({
      path: path + name,
      name,
      type,
      size: stats.size,
      modifiedMs: stats.mtimeMs,
    });
  }
}

/** The places in the order that an entry has, without those up to `after`. A folder's content: its name and "/". */
function placesOf(dirent: Dirent, path: string, after: string): string[] {
  const { name } = dirent;
  const places = path + name > after ? [name] : [];
  const content = `${name}/`;
  if (dirent.isDirectory() && (path + content > after || after.startsWith(path + content))) {
    places.push(content);
  }
  return places;
}

/**
 * The first so many in order, behind `after`. For a page of a large folder most names are compared once and left.
 */
function smallest(names: readonly string[], count: number, after: string): string[] {
  let kept: string[] = [];
  let bound: string | undefined;
  for (const name of names) {
    if (name <= after || (bound !== undefined && name >= bound)) continue;
    kept.push(name);
    if (kept.length >= count * 2) {
      kept = kept.toSorted(byCodeUnit).slice(0, count);
      bound = kept.at(-1);
    }
  }
  return kept.toSorted(byCodeUnit).slice(0, count);
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function whole(option: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new VaultError("bad_path", `Cannot list: expected "${option}" from 1 to ${max}`);
}

function cursorOf(path: string): string {
  return Buffer.from(path).toString("base64url");
}

/** Only compared with, never looked up: whatever it holds, it leads nowhere. */
function readCursor(cursor: string): string {
  const path = Buffer.from(cursor, "base64url").toString();
  if (cursor.length > 8192 || cursorOf(path) !== cursor || path === "") {
    throw new VaultError("bad_path", "Cannot list: expected the cursor of the page before");
  }
  return path;
}
