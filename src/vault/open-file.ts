import { closeSync, type Stats } from "node:fs";
import { etagOf } from "./etag.ts";

/** A file to be read. Whoever opened it takes its body once, or closes it. */
export interface OpenFile {
  /** Bytes. */
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly modifiedMs: number;
  /** Strong, with its quotes. Missing for files too large to hash, or that change faster than they can be. */
  readonly etag: string | undefined;
  /**
   * The bytes from `start` to before `end`. Large files come as a `Blob` on the open descriptor: give it to the server
   * in this turn, and close the file only when the server must have opened it anew.
   */
  body(start?: number, end?: number): Uint8Array<ArrayBuffer> | Blob;
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

/**
 * A file that the server sends by itself (sendfile(2)), in flat memory and with its length: through the descriptor, so
 * that it is the file that was opened whatever its name means by now.
 *
 * If others write into the file while it is sent, what arrives is a mixture, as with any server; Nest itself only ever
 * replaces files as a whole.
 */
export class LargeFile implements OpenFile {
  readonly size: number;
  readonly modifiedMs: number;
  readonly etag: string | undefined;
  readonly #descriptor: number;
  #isDone = false;

  constructor(descriptor: number, stats: Stats, etag: string | undefined) {
    this.#descriptor = descriptor;
    this.size = stats.size;
    this.modifiedMs = stats.mtimeMs;
    this.etag = etag;
  }

  body(start = 0, end = this.size): Blob {
    // A slice even of the whole: with a plain file Bun looks at the Range header by itself, and not at If-Range.
    return Bun.file(`${DESCRIPTORS}/${this.#descriptor}`).slice(start, end);
  }

  close(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    closeSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

const DESCRIPTORS = process.platform === "linux" ? "/proc/self/fd" : "/dev/fd";
