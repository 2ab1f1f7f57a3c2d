import {
  type Stats,
  fstatSync,
  openSync,
  closeSync,
  readlinkSync,
  realpathSync,
  statSync,
} from "node:fs";
import { Directory, O_PATH } from "./directory.ts";
import { errnoOf, specialFile, VaultError } from "./error.ts";

/** Given back by what is done in a parent when the name turned out to be a link that is to be followed. */
export const MET_LINK = Symbol("met a link");

/**
 * Links followed in one walk, and times that a walk begins anew because something was swapped under it. Linux gives up
 * at 40 links (path_resolution(7)); honest vaults have one or two in a path.
 */
const MAX_TURNS = 24;
/**
 * Walks before a way out is believed. A folder that is being swapped for a link leads out only half of the time; whoever
 * asks for a real file deserves it, and each walk is as safe as the first.
 */
const MAX_TRIES = 6;
/** Names in a path after its links were put in: what MAX_PATH_BYTES can hold. */
const MAX_NAMES = 2000;

type Use<T> = (directory: Directory, name: string, names: readonly string[]) => T | typeof MET_LINK;

/**
 * The vault's root, held open, and the only way to anything below it.
 *
 * Each directory on a path is opened in the one before it, without following links (`/proc/self/fd/N/name`), and what is
 * done is done on one name in the last of them. So nothing that is renamed or swapped meanwhile can lead elsewhere: not
 * even if the root itself is swapped. A link that is met is read, and the path that it makes is walked from the root
 * again in the same way: what the link says is a hint, the walk is the proof.
 *
 * Not promised: a directory that is moved out of the vault *while* an operation is under way in it takes that operation
 * with it (openat(2) has no remedy either); hard links can't be told from the file; what the administrator mounts inside
 * the vault is inside. Where the system can't pin (`pins` is false) each name is looked at before it is used, and a
 * swap between the two goes unnoticed.
 */
export class Root {
  readonly pins: boolean;
  readonly #top: Directory;
  readonly #path: string;
  #isClosed = false;

  private constructor(top: Directory, path: string, pins: boolean) {
    this.#top = top;
    this.#path = path;
    this.pins = pins;
  }

  /**
   * @param path - a directory; a link to one is followed, now and never again
   * @param mayPin - false takes the way of systems that can't, for its tests
   * @throws the system's error
   */
  static open(path: string, mayPin = canPin(path)): Root {
    return mayPin
      ? new Root(Directory.pin(path), path, true)
      : new Root(Directory.unpinned(realpathSync(path)), realpathSync(path), false);
  }

  /** @throws {VaultError} `vault_gone` if the root was deleted */
  assertThere(): void {
    if (this.top.stat().nlink === 0) {
      throw new VaultError("vault_gone", "The vault's folder was deleted: restart Nest");
    }
  }

  /** The root. Stays open: not to be closed by the caller. */
  get top(): Directory {
    // Its number may name another directory by now.
    if (this.#isClosed) throw new VaultError("vault_gone", "The vault is closed: Nest is stopping");
    return this.#top;
  }

  /**
   * Walks to the directory that holds the last name and does something there. Links on the way are followed as long as
   * they stay inside; the last name is the callback's: it must not follow it if it is a link, and may return
   * {@link MET_LINK} to be called again where the link leads.
   *
   * Synchronous throughout: the directory is closed when `use` returns.
   *
   * @param use - gets the directory, the name in it, and the whole path as it turned out without links
   * @throws {VaultError} `path_escapes` for ways out and loops, `root_protected` if there is no last name; the system's
   * errors as they are
   */
  withParent<T>(names: readonly string[], use: Use<T>): T {
    return this.#walk(names, true, use);
  }

  /**
   * Walks to a directory, following links that stay inside, and does something in it. Synchronous throughout.
   *
   * @throws {VaultError} `path_escapes`; `not_a_directory` if a file is there; the system's errors as they are
   */
  withDirectory<T>(
    names: readonly string[],
    use: (directory: Directory, names: readonly string[]) => T,
  ): T {
    return this.#walk(names, false, (directory, _, walked) => use(directory, walked));
  }

  /** Like {@link withDirectory}, for what takes longer: the caller closes it. */
  openDirectory(names: readonly string[]): { directory: Directory; names: readonly string[] } {
    return this.withDirectory(names, (directory, walked) => ({
      directory: directory.own(),
      names: walked,
    }));
  }

  /** What is under way fails at its next step. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#top.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #walk<T>(start: readonly string[], isParent: boolean, use: Use<T>): T {
    const { top } = this;
    let names = start;
    let tries = 0;
    for (let turn = 0; turn <= MAX_TURNS; turn++) {
      const depth = isParent ? names.length - 1 : names.length;
      if (depth < 0) throw new VaultError("root_protected", "Cannot do this to the vault's root");
      let directory = top;
      try {
        let at = 0;
        for (; at < depth; at++) {
          const next = directory.open(names[at] as string);
          if (next === undefined) break;
          if (directory !== top) directory.close();
          directory = next;
        }
        const name = names[at] as string;
        if (at === depth) {
          const result = use(directory, name, names);
          if (result !== MET_LINK) return result;
        }
        const target = directory.readLink(name);
        if (target !== undefined) {
          const next = this.#follow(directory, names, at, target);
          if (next === undefined && ++tries === MAX_TRIES) throw leadsOut();
          names = next ?? start;
        } else if (at < depth) {
          // Else it was swapped: a link then and a folder now, or the reverse. Once more.
          const stats = directory.lstat(name);
          if (!stats.isDirectory() && !stats.isSymbolicLink()) throw inTheWay(stats, at, names);
        }
      } catch (error) {
        if (errnoOf(error) === "ENOENT") this.assertThere();
        throw error;
      } finally {
        if (directory !== top) directory.close();
      }
    }
    throw new VaultError("path_escapes", "Cannot follow the path: too many links");
  }

  /**
   * The path with the link at `at` put in; nothing if it leads out. All names before it are directories and no links.
   */
  #follow(
    directory: Directory,
    names: readonly string[],
    at: number,
    target: string,
  ): string[] | undefined {
    const into =
      this.#read(names.slice(0, at), target) ?? this.#resolve(directory.at(names[at] as string));
    if (into === undefined || into.length + names.length > MAX_NAMES) return undefined;
    return [...into, ...names.slice(at + 1)];
  }

  /**
   * Puts a link's target behind the folders it lies in: a name at a time, and `..` only where it leaves a folder that
   * has been walked, because `link/..` is not where `link` lies.
   *
   * @returns nothing if the target climbs out, is absolute and not plainly inside, or has `..` behind a name
   */
  #read(base: readonly string[], target: string): string[] | undefined {
    let path = [...base];
    let rest = target;
    if (target.startsWith("/")) {
      const top = `${this.#host()}/`;
      if (!`${target}/`.startsWith(top)) return undefined;
      path = [];
      rest = target.slice(top.length);
    }
    let isBehindName = false;
    for (const name of rest.split("/")) {
      if (name === "" || name === ".") continue;
      if (name !== "..") {
        path.push(name);
        isBehindName = true;
      } else if (isBehindName || path.pop() === undefined) {
        return undefined;
      }
    }
    return path;
  }

  /**
   * Asks the system where a link leads that says it in a roundabout way. It may be lied to by a swap: only the names
   * below the root are used, and walked.
   *
   * @returns nothing if it ends outside, in a loop, or nowhere: of a target that is not there only the plain ways into
   * the vault are known to be inside
   */
  #resolve(link: string): string[] | undefined {
    let end: string;
    try {
      end = realpathSync(link);
    } catch {
      return undefined;
    }
    const top = this.#host();
    if (end === top) return [];
    if (!end.startsWith(`${top}/`)) return undefined;
    return end.slice(top.length + 1).split("/");
  }

  /** Where the root is now, on the host. */
  #host(): string {
    return this.pins ? readlinkSync(this.#top.self.slice(0, -2)) : this.#path;
  }
}

function inTheWay(stats: Stats, at: number, names: readonly string[]): VaultError {
  if (!stats.isFile()) return specialFile();
  return at === names.length - 1
    ? new VaultError("not_a_directory", "Expected a folder, found a file")
    : new VaultError("not_found", "A file stands where a folder is meant");
}

function leadsOut(): VaultError {
  return new VaultError("path_escapes", "A link on the path leads out of the vault");
}

/** Whether a directory can be held open and looked into by its descriptor here: tried, not guessed. */
function canPin(path: string): boolean {
  if (process.platform !== "linux") return false;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, O_PATH);
    const pinned = fstatSync(descriptor);
    const seen = statSync(`/proc/self/fd/${descriptor}/.`);
    return seen.dev === pinned.dev && seen.ino === pinned.ino;
  } catch {
    // No /proc, or one of another kind. What is wrong with the path itself comes up when it is opened.
    return false;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
