import {
  closeSync,
  constants,
  fstatSync,
  fsync,
  lstatSync,
  openSync,
  readlinkSync,
  type Stats,
} from "node:fs";
import { promisify } from "node:util";
import { errnoOf } from "./error.ts";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
/** open(2), Linux: the descriptor names the directory; nothing else can be done with it. Not in `node:fs`. */
export const O_PATH = 0o10000000;

const fsyncAsync = promisify(fsync);

/**
 * A directory to look names up in.
 *
 * Pinned: it is held open, so names are looked up in this very directory, whatever is moved or swapped around it.
 * Not pinned (systems without `/proc/self/fd`): it is a path that was free of links when it was looked at.
 *
 * Whoever opens one closes it.
 */
export class Directory {
  readonly #descriptor: number;
  readonly #prefix: string;

  private constructor(descriptor: number, path: string) {
    this.#descriptor = descriptor;
    this.#prefix = `${path}/`;
  }

  /** Follows links: for the root alone, which is where it is configured to be. */
  static pin(path: string): Directory {
    const descriptor = openSync(path, O_PATH | O_DIRECTORY);
    return new Directory(descriptor, `/proc/self/fd/${descriptor}`);
  }

  /** @param path - canonical */
  static unpinned(path: string): Directory {
    return new Directory(-1, path);
  }

  /**
   * The path under which the system finds `name` in this directory. Good while the directory is open and for one call
   * that does not follow the name if it is a link; never to be kept or shown.
   *
   * @param name - one name, as {@link VaultPath} has them
   */
  at(name: string): string {
    return this.#prefix + name;
  }

  /** The directory's own path, on the terms of {@link at}. */
  get self(): string {
    return `${this.#prefix}.`;
  }

  /**
   * Opens a directory in this one.
   *
   * @returns nothing if `name` is a link or no directory
   * @throws the system's error, ENOENT among them
   */
  open(name: string): Directory | undefined {
    const path = this.#prefix + name;
    if (this.#descriptor === -1) {
      return lstatSync(path).isDirectory() ? new Directory(-1, path) : undefined;
    }
    try {
      const descriptor = openSync(path, O_PATH | O_DIRECTORY | O_NOFOLLOW);
      return new Directory(descriptor, `/proc/self/fd/${descriptor}`);
    } catch (error) {
      const errno = errnoOf(error);
      // Linux says ENOTDIR for a link here, others ELOOP.
      if (errno === "ENOTDIR" || errno === "ELOOP") return undefined;
      throw error;
    }
  }

  /** The same directory, held open on its own: for what takes longer than a callback. The caller closes it. */
  own(): Directory {
    return this.#descriptor === -1 ? this : Directory.pin(this.self);
  }

  /** Of the name itself, not of what it may link to. */
  lstat(name: string): Stats {
    return lstatSync(this.#prefix + name);
  }

  /** @returns nothing if there is no such name */
  lstatIfAny(name: string): Stats | undefined {
    return lstatSync(this.#prefix + name, { throwIfNoEntry: false });
  }

  /** Of the directory. */
  stat(): Stats {
    return this.#descriptor === -1 ? lstatSync(this.self) : fstatSync(this.#descriptor);
  }

  /** @returns where the link leads, as it was written; nothing if it is no link */
  readLink(name: string): string | undefined {
    try {
      return readlinkSync(this.#prefix + name);
    } catch (error) {
      if (errnoOf(error) === "EINVAL") return undefined;
      throw error;
    }
  }

  /** Makes names that came or went in this directory outlast a power cut (fsync(2), NOTES). Waits for the disk. */
  async sync(): Promise<void> {
    const descriptor = openSync(this.self, O_RDONLY | O_DIRECTORY);
    try {
      await fsyncAsync(descriptor);
    } catch (error) {
      // Not every file system can; then there is nothing to be done.
      if (errnoOf(error) !== "EINVAL") throw error;
    } finally {
      closeSync(descriptor);
    }
  }

  close(): void {
    if (this.#descriptor !== -1) closeSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
