import { closeSync, fstatSync, type Stats } from "node:fs";
import type { Gate } from "./access.ts";
import type { Directory } from "./directory.ts";
import {
  type Etags,
  etagOf,
  isSameVersion,
  MAX_HASHED_BYTES,
  readWhole,
  SMALL_BYTES,
} from "./etag.ts";
import { errnoOf, specialFile, VaultError } from "./error.ts";
import { assertOrdinary, isAFolder, openToRead } from "./kind.ts";
import { FolderMaker } from "./folder-maker.ts";
import { Unfinished } from "./unfinished.ts";
import { MET_LINK, type Root } from "./walk.ts";

/** Times that a write begins to look anew because the file was changed under it. */
const MAX_TURNS = 8;

export interface WriteOptions {
  /** Bytes. */
  readonly maxBytes: number;
  /** Strong ETags one of which the file must have; `*`: it must exist (RFC 9110 section 13.1.1). */
  readonly ifMatch?: readonly string[] | "*";
  /** `If-None-Match: *`: it must not exist (section 13.1.2). */
  readonly ifNoneMatchAny?: boolean;
  readonly signal?: AbortSignal;
}

export interface Written {
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Nothing was there before. */
  readonly isNew: boolean;
}

/** A version of a file and its ETag, or a file that is to be hashed to know it. */
interface Hashed {
  readonly descriptor: number;
  readonly stats: Stats;
  readonly etag?: string | undefined;
}

/**
 * Stores a file as a whole, in four steps: the condition is tried, so that nobody sends a body in vain; the body goes to
 * a file out of sight and to the disk; the condition is tried again and the file put in its place, in one turn of the
 * event loop and after a walk of its own; the folder goes to the disk.
 *
 * Of two writers with one ETag exactly one passes the third step. Nothing can be promised against processes that change
 * the file in the microseconds of that step without asking Nest.
 */
export async function writeFile(
  root: Root,
  etags: Etags,
  names: readonly string[],
  body: Uint8Array | ReadableStream<Uint8Array>,
  options: WriteOptions,
  gate: Gate,
): Promise<Written> {
  if (names.length === 0) throw new VaultError("root_protected", "Cannot replace the vault's root");
  const target = new Target(root, etags, names, options, gate);
  const folders = new FolderMaker(root, gate);
  try {
    await target.settle(() => {});
    using unfinished = Unfinished.begin(root);
    const stored = await unfinished.fill(body, options.maxBytes, options.signal);
    let placed: Placed;
    try {
      placed = await place(unfinished);
    } catch (error) {
      if (errnoOf(error) !== "EXDEV") throw error;
      using near = await unfinished.near(root, target.walked.slice(0, -1));
      placed = await place(near);
    }
    await Promise.all([placed.synced, folders.synced()]);
    return { ...stored, isNew: placed.isNew, modifiedMs: placed.modifiedMs };
  } catch (error) {
    if (errnoOf(error) === "EEXIST" && options.ifNoneMatchAny === true) throw failed("it exists");
    throw error;
  } finally {
    target.close();
  }

  async function place(unfinished: Unfinished): Promise<Placed> {
    let placed: Placed | undefined;
    await target.settle((directory, name, existing) => {
      if (directory === undefined) {
        folders.make(names.slice(0, -1));
        return AGAIN;
      }
      const isNew = existing === undefined;
      if (isNew && options.ifNoneMatchAny === true) unfinished.create(directory, name);
      else unfinished.replace(directory, name, existing);
      placed = { isNew, modifiedMs: unfinished.modifiedMs, synced: directory.sync() };
      return undefined;
    });
    return placed as Placed;
  }
}

interface Placed {
  readonly isNew: boolean;
  readonly modifiedMs: number;
  readonly synced: Promise<void>;
}

const AGAIN = Symbol("look again");

/** A file's place, and what has been found out about what is there. */
class Target {
  readonly #root: Root;
  readonly #etags: Etags;
  readonly #names: readonly string[];
  readonly #options: WriteOptions;
  readonly #gate: Gate;
  /** The path without links, as the last look found it. */
  walked: readonly string[] = [];
  /** Held open so that its inode's number is not given to another file meanwhile. */
  #hashed: Hashed | undefined;

  constructor(
    root: Root,
    etags: Etags,
    names: readonly string[],
    options: WriteOptions,
    gate: Gate,
  ) {
    this.#root = root;
    this.#etags = etags;
    this.#names = names;
    this.#options = options;
    this.#gate = gate;
  }

  /**
   * Does `act` in the very turn in which the condition holds.
   *
   * @param act - gets no directory if the way to it is not there yet
   * @throws {VaultError} `precondition_failed`, `busy`
   */
  async settle(
    act: (directory: Directory | undefined, name: string, existing: Stats | undefined) => unknown,
  ): Promise<void> {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const outcome = this.#look(act);
      if (outcome === AGAIN) continue;
      if (outcome === undefined) return;
      this.close();
      this.#hashed = outcome;
      const { descriptor, stats } = outcome;
      const restat = () => fstatSync(descriptor);
      const etag = await this.#etags.hash(descriptor, stats, restat, this.#options.signal);
      this.#hashed = { ...outcome, etag };
    }
    throw new VaultError("busy", "Others keep changing the file: try again");
  }

  close(): void {
    if (this.#hashed !== undefined) closeSync(this.#hashed.descriptor);
    this.#hashed = undefined;
  }

  #look(
    act: (directory: Directory | undefined, name: string, existing: Stats | undefined) => unknown,
  ): Hashed | typeof AGAIN | undefined {
    let isThere = false;
    try {
      return this.#root.withParent(this.#names, (directory, name, names) => {
        this.#gate(names);
        this.walked = names;
        isThere = true;
        const existing = directory.lstatIfAny(name);
        if (existing?.isSymbolicLink() === true) return MET_LINK;
        if (existing !== undefined && assertOrdinary(existing) === "dir") throw isAFolder();
        const toHash = this.#judge(directory, name, existing);
        if (toHash === MET_LINK || toHash !== undefined) return toHash;
        return act(directory, name, existing) === AGAIN ? AGAIN : undefined;
      });
    } catch (error) {
      if (isThere || errnoOf(error) !== "ENOENT") throw error;
      this.#judge(undefined, "", undefined);
      return act(undefined, "", undefined) === AGAIN ? AGAIN : undefined;
    }
  }

  /** @returns nothing if the condition holds; a file to be hashed if nobody knows */
  #judge(
    directory: Directory | undefined,
    name: string,
    existing: Stats | undefined,
  ): Hashed | typeof MET_LINK | undefined {
    const { ifMatch, ifNoneMatchAny } = this.#options;
    if (ifNoneMatchAny === true && existing !== undefined) throw failed("it exists");
    if (ifMatch === undefined) return undefined;
    if (existing === undefined || directory === undefined) throw failed("it does not exist");
    if (ifMatch === "*") return undefined;
    const known = this.#etagIfKnown(existing);
    if (known !== undefined) return this.#assertMatch(ifMatch, known);
    if (existing.size > MAX_HASHED_BYTES) throw failed("it is too large to have an ETag");
    const descriptor = openToRead(directory, name);
    if (descriptor === MET_LINK) return MET_LINK;
    let isKept = false;
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw specialFile();
      if (stats.size <= SMALL_BYTES) {
        return this.#assertMatch(ifMatch, etagOf(readWhole(descriptor, stats.size)));
      }
      isKept = true;
      return { descriptor, stats };
    } finally {
      if (!isKept) closeSync(descriptor);
    }
  }

  #etagIfKnown(existing: Stats): string | undefined {
    const hashed = this.#hashed;
    if (hashed !== undefined && isSameVersion(hashed.stats, existing)) return hashed.etag;
    return this.#etags.remembered(existing);
  }

  #assertMatch(ifMatch: readonly string[], etag: string): undefined {
    if (!ifMatch.includes(etag)) throw failed("it has changed");
  }
}

function failed(why: string): VaultError {
  return new VaultError("precondition_failed", `Cannot write the file: ${why}`);
}
