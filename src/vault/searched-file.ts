import { closeSync, constants, fstatSync, openSync, read, readSync } from "node:fs";
import { promisify } from "node:util";
import type { Directory } from "./directory.ts";
import { Needle } from "./needle.ts";
import type { TimeSlice } from "./time-slice.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;
const readAsync = promisify(read);

/** Larger files are not searched, bytes. */
export const MAX_SEARCHED_BYTES = 16 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
/** What two pieces of a line that is longer than a chunk have in common: more bytes than any needle. */
const OVERLAP_BYTES = 4 * 1024;

export interface LineMatch {
  /** From 1. */
  readonly line: number;
  readonly text: string;
}

const decoder = new TextDecoder();

/** A regular file of bounded size, open to be searched. Whoever opened it closes it. */
export class SearchedFile {
  readonly #descriptor: number;
  readonly #size: number;
  readonly #chunk: Buffer;

  private constructor(descriptor: number, size: number, chunk: Buffer) {
    this.#descriptor = descriptor;
    this.#size = size;
    this.#chunk = chunk;
  }

  /** What files are read into, one at a time: for each its own would be most of the work. */
  static chunk(): Buffer {
    return Buffer.allocUnsafeSlow(CHUNK_BYTES);
  }

  /** @returns nothing for what is no regular file, is too large, may not be read, or is gone */
  static open(directory: Directory, name: string, chunk: Buffer): SearchedFile | undefined {
    let descriptor: number;
    try {
      // Waits for nobody at the other end of a FIFO, and takes no terminal.
      descriptor = openSync(directory.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    } catch {
      return undefined;
    }
    const stat = fstatSync(descriptor);
    if (stat.isFile() && stat.size > 0 && stat.size <= MAX_SEARCHED_BYTES)
      return new SearchedFile(descriptor, stat.size, chunk);
    closeSync(descriptor);
    return undefined;
  }

  /** The match in the line that begins at a byte; nothing if no line begins there or it holds none. */
  async matchAt(start: number, needle: Needle): Promise<string | undefined> {
    const chunk = this.#chunk;
    if (start > 0) {
      await this.#read(chunk, start - 1, 1);
      if (chunk[0] !== NEWLINE) return undefined;
    }
    for (let at = start; at < this.#size;) {
      const length = await this.#read(chunk, at, CHUNK_BYTES);
      if (length === 0) return undefined;
      const end = chunk.subarray(0, length).indexOf(NEWLINE);
      const text = decode(chunk.subarray(0, end < 0 ? length : end)).replace(/\r$/, "");
      const place = needle.find(text, 0);
      if (place !== undefined) return Needle.excerpt(text, place.start);
      if (end >= 0 || length < CHUNK_BYTES) return undefined;
      at += CHUNK_BYTES - OVERLAP_BYTES;
    }
    return undefined;
  }

  /**
   * Lines that hold the needle, in order. A NUL byte ends the search: the file is binary.
   *
   * @param most - ends with so many
   */
  async matches(needle: Needle, most: number, slice: TimeSlice): Promise<LineMatch[]> {
    const found: LineMatch[] = [];
    const chunk = this.#chunk;
    let line = 1;
    for (let at = 0; at < this.#size && found.length < most;) {
      if (slice.isOver) await slice.pause();
      const length = await this.#read(chunk, at, CHUNK_BYTES);
      let bytes = chunk.subarray(0, length);
      if (length === 0 || bytes.includes(0)) break;
      const isLast = at + length >= this.#size;
      const lastNewline = isLast ? -1 : bytes.lastIndexOf(NEWLINE);
      if (lastNewline >= 0) bytes = bytes.subarray(0, lastNewline + 1);
      collect(decode(bytes), line, needle, most, found);
      if (isLast) break;
      if (lastNewline >= 0) {
        line += newlines(bytes);
        at += bytes.length;
      } else {
        // The line goes on; a short read must get on, too.
        at += Math.max(1, length - OVERLAP_BYTES);
      }
    }
    return found;
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** The first chunk is read at once, as most files have no other; the rest on another thread. */
  async #read(into: Buffer, at: number, length: number): Promise<number> {
    if (at < CHUNK_BYTES) return readSync(this.#descriptor, into, 0, length, at);
    return (await readAsync(this.#descriptor, into, 0, length, at)).bytesRead;
  }
}

const NEWLINE = 0x0a;

function decode(bytes: Buffer): string {
  return decoder.decode(bytes);
}

/** @param first - number of the text's first line; the same as the last one found if that goes on */
function collect(
  text: string,
  first: number,
  needle: Needle,
  most: number,
  found: LineMatch[],
): void {
  let line = first;
  let counted = 0;
  for (let from = 0; from <= text.length && found.length < most;) {
    const place = needle.find(text, from);
    if (place === undefined) return;
    for (let at = text.indexOf("\n", counted); at >= 0 && at < place.start;) {
      line++;
      counted = at + 1;
      at = text.indexOf("\n", counted);
    }
    const end = text.indexOf("\n", place.end);
    const whole = text.slice(counted, end < 0 ? text.length : end).replace(/\r$/, "");
    if (found.at(-1)?.line !== line)
      found.push({ line, text: Needle.excerpt(whole, place.start - counted) });
    if (end < 0) return;
    from = end + 1;
  }
}

function newlines(bytes: Buffer): number {
  let count = 0;
  for (let at = bytes.indexOf(NEWLINE); at >= 0; at = bytes.indexOf(NEWLINE, at + 1)) count++;
  return count;
}
