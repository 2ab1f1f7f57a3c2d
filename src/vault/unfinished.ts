import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  mkdirSync,
  openSync,
  read,
  renameSync,
  type Stats,
  unlinkSync,
  write,
  writeFileSync,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import type { Directory } from "./directory.ts";
import { EtagMaker, etagOf } from "./etag.ts";
import { errnoOf, VaultError } from "./error.ts";
import { placeNew } from "./place-new.ts";
import type { Root } from "./walk.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDWR } = constants;
const writeAsync = promisify(write);
const readAsync = promisify(read);
const fsyncAsync = promisify(fsync);

/** One step of a copy, bytes. */
const COPY_BYTES = 256 * 1024;

/**
 * Where what is not finished lies: below the root, so that a rename can finish it; in one place, so that a start finds
 * what a crash left without looking through the vault. Nobody reaches it over the API.
 */
export const UNFINISHED_FOLDER = ".nest-tmp";

/**
 * How the names of unfinished files begin that lie beside their target, because that is on another file system (a mount
 * inside the vault) and no rename leads there. A note of each lies in the folder, for the next start.
 */
export const NEAR_PREFIX = `${UNFINISHED_FOLDER}-`;
/** How the names of those notes end. */
export const NOTE_SUFFIX = ".note";

/** Names that are Nest's own wherever they are. */
export function isReserved(name: string): boolean {
  return (
    name.startsWith(UNFINISHED_FOLDER) &&
    (name === UNFINISHED_FOLDER || name.startsWith(NEAR_PREFIX))
  );
}

/** A name that nobody can guess, and that does not hold the target's: that may have 255 bytes already. */
export function unguessable(): string {
  return crypto.getRandomValues(new Uint8Array(16)).toHex();
}

/**
 * Does something in the folder for unfinished things; makes it if need be.
 *
 * @throws {VaultError} `special_file` if a link or a file has its name
 */
export function withUnfinished<T>(root: Root, use: (folder: Directory) => T): T {
  using folder = ownFolder(root, UNFINISHED_FOLDER, 0o700);
  return use(folder);
}

/** Opens a folder of Nest's own at the root. The caller closes it. */
export function ownFolder(root: Root, name: string, mode: number): Directory {
  let folder: Directory | undefined;
  try {
    folder = root.top.open(name);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw error;
    root.assertThere();
    mkdirUnlessThere(root.top, name, mode);
    folder = root.top.open(name);
  }
  if (folder === undefined) {
    throw new VaultError("special_file", `Cannot use "${name}": it must be a folder, not a link`);
  }
  return folder;
}

function mkdirUnlessThere(directory: Directory, name: string, mode: number): void {
  try {
    mkdirSync(directory.at(name), { mode });
  } catch (error) {
    if (errnoOf(error) !== "EEXIST") throw error;
  }
}

/** What a file has become. */
export interface Stored {
  readonly etag: string;
  /** Bytes. */
  readonly size: number;
}

type Within = <T>(use: (folder: Directory) => T) => T;

/** A file being written, out of sight until it is put in its place as a whole. Whoever began it disposes of it. */
export class Unfinished {
  readonly #within: Within;
  readonly #name: string;
  readonly #descriptor: number;
  #isPlaced = false;
  /** Takes away what else there is of it. */
  #forget: (() => void) | undefined;

  private constructor(within: Within, name: string) {
    this.#within = within;
    this.#name = name;
    this.#descriptor = within((folder) =>
      openSync(folder.at(name), O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o666),
    );
  }

  static begin(root: Root): Unfinished {
    return new Unfinished((use) => withUnfinished(root, use), unguessable());
  }

  /**
   * A copy of this file that lies where it can be put in place by a rename.
   *
   * @param names - the folder of the target, without links
   */
  async near(root: Root, names: readonly string[]): Promise<Unfinished> {
    const name = NEAR_PREFIX + unguessable();
    const note = unguessable() + NOTE_SUFFIX;
    withUnfinished(root, (folder) =>
      writeFileSync(folder.at(note), JSON.stringify([...names, name]), { flag: "wx" }),
    );
    const copy = new Unfinished((use) => root.withDirectory(names, use), name);
    copy.#forget = () => withUnfinished(root, (folder) => unlinkSync(folder.at(note)));
    try {
      await copy.#copyFrom(this.#descriptor);
      return copy;
    } catch (error) {
      copy[Symbol.dispose]();
      throw error;
    }
  }

  async #copyFrom(descriptor: number): Promise<void> {
    const chunk = new Uint8Array(COPY_BYTES);
    for (let at = 0; ;) {
      const { bytesRead } = await readAsync(descriptor, chunk, 0, chunk.length, at);
      if (bytesRead === 0) break;
      for (let from = 0; from < bytesRead;) {
        const rest = bytesRead - from;
        from += (await writeAsync(this.#descriptor, chunk, from, rest, at + from)).bytesWritten;
      }
      at += bytesRead;
    }
    await fsyncAsync(this.#descriptor);
  }

  /**
   * Takes in the content and waits until the disk has it.
   *
   * @param maxBytes - a stream is cancelled as soon as it brings more
   * @throws {VaultError} `too_large`; the signal's reason; what the stream throws
   */
  async fill(
    body: Uint8Array | ReadableStream<Uint8Array>,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Stored> {
    signal?.throwIfAborted();
    const stored =
      body instanceof Uint8Array
        ? this.#fillAtOnce(body, maxBytes)
        : await this.#fillFrom(body, maxBytes, signal);
    await fsyncAsync(this.#descriptor);
    signal?.throwIfAborted();
    return stored;
  }

  #fillAtOnce(content: Uint8Array, maxBytes: number): Stored {
    if (content.length > maxBytes) throw tooLarge(maxBytes);
    for (let at = 0; at < content.length;) {
      at += writeSync(this.#descriptor, content, at, content.length - at, at);
    }
    return { etag: etagOf(content), size: content.length };
  }

  async #fillFrom(
    stream: ReadableStream<Uint8Array>,
    maxBytes: number,
    signal?: AbortSignal,
  ): Promise<Stored> {
    const reader = stream.getReader();
    // A read that nobody answers would hold the file for ever.
    const cancel = () => void reader.cancel(signal?.reason).catch(() => {});
    signal?.addEventListener("abort", cancel, { once: true });
    const maker = new EtagMaker();
    let size = 0;
    try {
      for (;;) {
        const { done, value } = await reader.read();
        signal?.throwIfAborted();
        if (done) return { etag: maker.finish(), size };
        if (size + value.length > maxBytes) throw tooLarge(maxBytes);
        maker.update(value);
        for (let at = 0; at < value.length;) {
          const rest = value.length - at;
          at += (await writeAsync(this.#descriptor, value, at, rest, size + at)).bytesWritten;
        }
        size += value.length;
      }
    } catch (error) {
      void reader.cancel(error).catch(() => {});
      throw error;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * Puts the file in the place of what is there, or of nothing, in one step. A link is replaced, not followed.
   *
   * @param replaced - what is there: its mode is kept, and its owner where the system lets us
   */
  replace(directory: Directory, name: string, replaced: Stats | undefined): void {
    if (replaced !== undefined) this.#takeOver(replaced);
    this.#within((folder) => renameSync(folder.at(this.#name), directory.at(name)));
    this.#isPlaced = true;
  }

  /** Puts the file where nothing is. @throws EEXIST, whoever came first */
  create(directory: Directory, name: string): void {
    this.#within((folder) => {
      const own = folder.at(this.#name);
      if (placeNew(own, directory.at(name)) === "linked") unlinkSync(own);
    });
    this.#isPlaced = true;
  }

  /** Milliseconds since 1970. */
  get modifiedMs(): number {
    return fstatSync(this.#descriptor).mtimeMs;
  }

  #takeOver({ mode, uid, gid }: Stats): void {
    const own = fstatSync(this.#descriptor);
    if (own.uid !== uid || own.gid !== gid) {
      try {
        fchownSync(this.#descriptor, uid, gid);
      } catch {
        // Root's to do. The content matters more.
      }
    }
    // Set-uid and set-gid are dropped, as the system does when a file is written to.
    if ((own.mode & 0o7777) !== (mode & 0o777)) fchmodSync(this.#descriptor, mode & 0o777);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
    try {
      if (!this.#isPlaced) this.#within((folder) => unlinkSync(folder.at(this.#name)));
      this.#forget?.();
    } catch {
      // Swept by somebody else, or by the next start.
    }
  }
}

function tooLarge(maxBytes: number): VaultError {
  return new VaultError("too_large", `Cannot store more than ${maxBytes} bytes in one file`);
}
