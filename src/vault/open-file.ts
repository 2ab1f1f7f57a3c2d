import { closeSync, fstatSync, read, type Stats } from "node:fs";
import { promisify } from "node:util";
import { etagOf, isSameVersion } from "./etag.ts";
import { VaultError } from "./error.ts";

const readAsync = promisify(read);

/** What one pull of a stream reads, bytes; also what a waiting client costs in memory. */
const CHUNK_BYTES = 256 * 1024;

/** A file to be read. Whoever opened it takes its body once, or closes it. */
export interface OpenFile {
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Strong, with its quotes. Missing for files too large to hash, or that change faster than they can be. */
  readonly etag: string | undefined;
  /**
   * The bytes from `start` to before `end`. Small files are in memory; others come as a stream that closes the file when
   * it has ended, failed or been cancelled, and fails if the file is changed meanwhile: the ETag would be a lie.
   */
  body(start?: number, end?: number): Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  close(): void;
  [Symbol.dispose](): void;
}

/** A file small enough to be in memory as a whole. */
export class SmallFile implements OpenFile {
  readonly size: number;
  readonly modifiedMs: number;
  readonly etag: string;
  readonly #content: Uint8Array<ArrayBuffer>;

  constructor(content: Uint8Array<ArrayBuffer>, modifiedMs: number) {
    this.size = content.length;
    this.modifiedMs = modifiedMs;
    this.etag = etagOf(content);
    this.#content = content;
  }

  body(start = 0, end = this.size): Uint8Array<ArrayBuffer> {
    return start === 0 && end === this.size ? this.#content : this.#content.subarray(start, end);
  }

  close(): void {}

  [Symbol.dispose](): void {}
}

/** A file that is read as it is sent. */
export class LargeFile implements OpenFile {
  readonly size: number;
  readonly modifiedMs: number;
  readonly etag: string | undefined;
  readonly #descriptor: number;
  readonly #stats: Stats;
  /** A read that the system may still be writing into, and whether the end waits for it. */
  #isReading = false;
  #isDone = false;

  constructor(descriptor: number, stats: Stats, etag: string | undefined) {
    this.#descriptor = descriptor;
    this.#stats = stats;
    this.size = stats.size;
    this.modifiedMs = stats.mtimeMs;
    this.etag = etag;
  }

  body(start = 0, end = this.size): ReadableStream<Uint8Array> {
    let at = start;
    const last = Math.min(end, this.size);
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          try {
            const chunk = await this.#read(at, Math.min(CHUNK_BYTES, last - at));
            if (this.#isDone) return;
            at += chunk.length;
            if (chunk.length > 0) controller.enqueue(chunk);
            if (at < last) return;
            if (this.etag !== undefined && !isSameVersion(this.#stats, fstatSync(this.#descriptor)))
              throw changed();
            this.close();
            controller.close();
          } catch (error) {
            this.close();
            controller.error(error);
          }
        },
        cancel: () => this.close(),
      },
      { highWaterMark: 0 },
    );
  }

  close(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    // Closed under a read, the number could name another file before the read has begun.
    if (!this.#isReading) closeSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  async #read(at: number, length: number): Promise<Uint8Array> {
    if (length <= 0) return new Uint8Array();
    const chunk = new Uint8Array(length);
    this.#isReading = true;
    try {
      const { bytesRead } = await readAsync(this.#descriptor, chunk, 0, length, at);
      if (bytesRead === 0) throw changed();
      return bytesRead === length ? chunk : chunk.subarray(0, bytesRead);
    } finally {
      this.#isReading = false;
      if (this.#isDone) closeSync(this.#descriptor);
    }
  }
}

function changed(): VaultError {
  return new VaultError("busy", "The file was changed while it was sent");
}
