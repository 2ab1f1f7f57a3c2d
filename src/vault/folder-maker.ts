import { mkdirSync } from "node:fs";
import type { Gate } from "./access.ts";
import type { Directory } from "./directory.ts";
import { errnoOf, VaultError } from "./error.ts";
import { assertOrdinary } from "./kind.ts";
import { MET_LINK, type Root } from "./walk.ts";

/** Folders made at once: each is a step of the event loop's, and a descriptor until the disk has it. */
const MAX_NEW_FOLDERS = 64;

/** Makes folders, and all that are missing on the way. */
export class FolderMaker {
  readonly #root: Root;
  readonly #gate: Gate;
  readonly #syncs: Promise<void>[] = [];

  constructor(root: Root, gate: Gate) {
    this.#root = root;
    this.#gate = gate;
  }

  /**
   * @returns whether it was made; false if it was there
   * @throws {VaultError} `exists` if a file has the last name, `not_found` if one has another
   */
  make(names: readonly string[]): boolean {
    const missing = this.#firstMissing(names);
    if (missing > names.length) return false;
    if (names.length - missing >= MAX_NEW_FOLDERS) {
      throw new VaultError("bad_path", `Cannot make more than ${MAX_NEW_FOLDERS} folders at once`);
    }
    return this.#root.withParent(names.slice(0, missing), (directory, name, walked) => {
      this.#gate([...walked, ...names.slice(missing)]);
      const existing = directory.lstatIfAny(name);
      if (existing?.isSymbolicLink() === true) return MET_LINK;
      if (existing !== undefined && assertOrdinary(existing) !== "dir") {
        throw missing === names.length
          ? new VaultError("exists", "A file has this name")
          : new VaultError("not_found", "A file stands where a folder is meant");
      }
      this.#makeBelow(directory, [name, ...names.slice(missing)]);
      return true;
    });
  }

  /** The disk has them. */
  async synced(): Promise<void> {
    await Promise.all(this.#syncs);
  }

  /** How many names make the shortest path that is not there; one more than all if it is. By halves: paths are long. */
  #firstMissing(names: readonly string[]): number {
    let low = 0;
    let high = names.length + 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#isThere(names.slice(0, middle))) low = middle;
      else high = middle;
    }
    return high;
  }

  #isThere(names: readonly string[]): boolean {
    try {
      return this.#root.withDirectory(names, (_, walked) => {
        this.#gate(walked);
        return true;
      });
    } catch (error) {
      if (errnoOf(error) === "ENOENT") return false;
      if (error instanceof VaultError && error.code.startsWith("not_")) return false;
      throw error;
    }
  }

  #makeBelow(parent: Directory, names: readonly string[]): void {
    let directory = parent;
    try {
      for (const name of names) {
        try {
          mkdirSync(directory.at(name));
          const synced = directory.sync();
          // Heard of in synced(), should it come to that.
          synced.catch(() => {});
          this.#syncs.push(synced);
        } catch (error) {
          if (errnoOf(error) !== "EEXIST") throw error;
        }
        const next = directory.open(name);
        if (next === undefined) throw new VaultError("busy", "The folder was replaced: try again");
        if (directory !== parent) directory.close();
        directory = next;
      }
    } finally {
      if (directory !== parent) directory.close();
    }
  }
}
