import { read, readSync, type Stats } from "node:fs";
import { promisify } from "node:util";
import { VaultError } from "./error.ts";

const readAsync = promisify(read);

/** Hashed and read in one turn of the event loop, bytes: some 50 µs. What is larger goes the asynchronous way. */
export const SMALL_BYTES = 64 * 1024;
/** One step of hashing a large file, bytes: some 200 µs of the event loop. */
const CHUNK_BYTES = 256 * 1024;
/**
 * Largest file with an ETag, bytes. It must be known before the first byte goes out, and beyond this whoever waits for
 * it gives up: 2 GiB take two seconds.
 */
export const MAX_HASHED_BYTES = 2 * 1024 ** 3;
/** Files hashed at a time; more would only fight over one disk and one event loop. */
const MAX_HASHING = 2;
/** Requests waiting for their turn to hash; each holds a descriptor. */
const MAX_WAITING = 256;
/** Large files whose ETag is remembered. */
const MAX_REMEMBERED = 4096;
/**
 * A file changed later than this before it was looked at could change again and keep its times, ms: they move in ticks
 * of the kernel's (4 to 10 ms), of 2 s on FAT. Such a one is not remembered (git's "racy" index entries, same reason).
 */
const RACY_MS = 2000;

/**
 * The strong validator of a content (RFC 9110 section 8.8.1): SHA-256, since the agent could make two files of one
 * weaker hash. Of all hashes in Bun it is also the fastest, for processors have it built in.
 */
export function etagOf(content: Uint8Array): string {
  return `"${Bun.SHA256.hash(content, "base64url")}"`;
}

/** Makes the ETag of a content that comes in parts. */
export class EtagMaker {
  readonly #hasher = new Bun.CryptoHasher("sha256");

  update(part: Uint8Array): void {
    this.#hasher.update(part);
  }

  finish(): string {
    return `"${this.#hasher.digest("base64url")}"`;
  }
}

/** Whether two looks at a file saw one state of it, as far as the system tells. */
export function isSameVersion(a: Stats, b: Stats): boolean {
  return (
    a.ino === b.ino &&
    a.dev === b.dev &&
    a.size === b.size &&
    a.mtimeMs === b.mtimeMs &&
    a.ctimeMs === b.ctimeMs
  );
}

/**
 * ETags of large files, remembered by device, inode, size and both times. Nobody can set the time of the last change of
 * state (ctime), so a remembered one is as good as hashing again, but for {@link RACY_MS}.
 */
export class Etags {
  readonly #remembered = new Map<string, { readonly stats: Stats; readonly etag: string }>();
  readonly #wallMs: () => number;
  readonly #waiting: (() => void)[] = [];
  #hashing = 0;

  constructor(wallMs: () => number) {
    this.#wallMs = wallMs;
  }

  /** @returns nothing if the file has to be hashed first */
  remembered(stats: Stats): string | undefined {
    const key = `${stats.dev}:${stats.ino}`;
    const known = this.#remembered.get(key);
    if (known === undefined) return undefined;
    this.#remembered.delete(key);
    if (!isSameVersion(known.stats, stats)) return undefined;
    this.#remembered.set(key, known);
    return known.etag;
  }

  /**
   * Hashes an open file in steps, in flat memory.
   *
   * @param stats - of the descriptor
   * @returns nothing for files too large, and for those that change while they are read
   * @throws the signal's reason; {@link VaultError} `overloaded`
   */
  async hash(descriptor: number, stats: Stats, restat: () => Stats, signal?: AbortSignal) {
    if (stats.size > MAX_HASHED_BYTES) return undefined;
    await this.#turn();
    try {
      // Whoever was before may have hashed the same file.
      const known = this.remembered(stats);
      if (known !== undefined) return known;
      const lookedMs = this.#wallMs();
      const maker = new EtagMaker();
      const chunk = new Uint8Array(CHUNK_BYTES);
      for (let at = 0; at < stats.size;) {
        signal?.throwIfAborted();
        const { bytesRead } = await readAsync(descriptor, chunk, 0, CHUNK_BYTES, at);
        if (bytesRead === 0) return undefined;
        maker.update(chunk.subarray(0, bytesRead));
        at += bytesRead;
      }
      if (!isSameVersion(stats, restat())) return undefined;
      const etag = maker.finish();
      if (stats.ctimeMs < lookedMs - RACY_MS) this.#remember(stats, etag);
      return etag;
    } finally {
      this.#hashing--;
      this.#waiting.shift()?.();
    }
  }

  async #turn(): Promise<void> {
    if (this.#hashing >= MAX_HASHING) {
      if (this.#waiting.length >= MAX_WAITING) {
        throw new VaultError("overloaded", "Too many large files are being read: try again later");
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    }
    this.#hashing++;
  }

  #remember(stats: Stats, etag: string): void {
    const key = `${stats.dev}:${stats.ino}`;
    this.#remembered.delete(key);
    this.#remembered.set(key, { stats, etag });
    if (this.#remembered.size > MAX_REMEMBERED) {
      const oldest = this.#remembered.keys().next();
      if (!oldest.done) this.#remembered.delete(oldest.value);
    }
  }
}

/** Reads a whole file of this size, or less if it has shrunk; never more, should it grow meanwhile. */
export function readWhole(descriptor: number, size: number): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(size);
  let length = 0;
  while (length < size) {
    const bytes = readSync(descriptor, content, length, size - length, length);
    if (bytes === 0) return content.subarray(0, length);
    length += bytes;
  }
  return content;
}
