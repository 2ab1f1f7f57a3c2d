/**
 * Cuts a byte stream into lines at LF alone, as pi's RPC protocol demands: U+2028, U+2029 and CR inside a JSON string
 * are data (`node:readline` splits on them). Bytes are joined before they are decoded, so a character cut in two by the
 * pipe stays whole.
 */
export class LineSplitter {
  readonly #maxBytes: number;
  #parts: Uint8Array[] = [];
  #length = 0;
  #skipping = false;

  /** @param maxBytes - longest line that is kept; of a longer one only its length is told */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next chunk. `onLine` gets each finished line without its LF, valid during the call only; empty lines are
   * skipped. `onOversize` gets the length in bytes of a line that was too long and is dropped.
   */
  push(
    chunk: Uint8Array,
    onLine: (line: Uint8Array) => void,
    onOversize: (bytes: number) => void,
  ): void {
    let start = 0;
    for (let end = chunk.indexOf(LF); end !== -1; end = chunk.indexOf(LF, start)) {
      const tail = chunk.subarray(start, end);
      start = end + 1;
      const length = this.#length + tail.length;
      if (this.#skipping || length > this.#maxBytes) {
        this.#reset();
        onOversize(length);
      } else if (this.#length === 0) {
        if (tail.length > 0) onLine(tail);
      } else {
        const line = this.#join(tail);
        this.#reset();
        onLine(line);
      }
    }
    this.#keep(chunk.subarray(start));
  }

  #keep(rest: Uint8Array): void {
    if (rest.length === 0) return;
    this.#length += rest.length;
    if (this.#length > this.#maxBytes) {
      this.#skipping = true;
      this.#parts = [];
    } else {
      // A copy: the stream may use its buffer again.
      this.#parts.push(rest.slice());
    }
  }

  #join(tail: Uint8Array): Uint8Array {
    const line = new Uint8Array(this.#length + tail.length);
    let at = 0;
    for (const part of this.#parts) {
      line.set(part, at);
      at += part.length;
    }
    line.set(tail, at);
    return line;
  }

  #reset(): void {
    this.#parts = [];
    this.#length = 0;
    this.#skipping = false;
  }
}

const LF = 0x0a;
