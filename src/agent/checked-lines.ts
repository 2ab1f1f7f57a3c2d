/**
 * Files of lines that tell a whole line from a torn or damaged one: `CRC SP TEXT LF`, where CRC is the CRC-32 of the
 * UTF-8 text in eight hex digits. TEXT is JSON, so that it holds no LF of its own.
 *
 * A CRC finds accidents (a torn write, a bad block). It is no proof against somebody who can write the file.
 */

/** Length of what stands before the text. */
const PREFIX_BYTES = 9;
const LF = 0x0a;

/** A line, ready to be written. */
export function checkedLine(text: string): string {
  return `${Bun.hash.crc32(text).toString(16).padStart(8, "0")} ${text}\n`;
}

/** One line that is whole. */
export interface CheckedLine {
  readonly text: string;
  /** Where it begins, and where the next would. */
  readonly start: number;
  readonly end: number;
}

/** The line at `start`; `undefined` if it is not whole. */
export function lineAt(bytes: Buffer, start: number): CheckedLine | undefined {
  const lf = bytes.indexOf(LF, start);
  if (lf < start + PREFIX_BYTES) return undefined;
  const text = bytes.subarray(start + PREFIX_BYTES, lf);
  if (bytes[start + PREFIX_BYTES - 1] !== 0x20) return undefined;
  const crc = bytes.toString("latin1", start, start + PREFIX_BYTES - 1);
  if (Bun.hash.crc32(text).toString(16).padStart(8, "0") !== crc) return undefined;
  return { text: text.toString(), start, end: lf + 1 };
}

/** Where the line behind the one at `start` begins, whole or not; the end if there is none. */
export function nextLineStart(bytes: Buffer, start: number): number {
  const lf = bytes.indexOf(LF, start);
  return lf === -1 ? bytes.length : lf + 1;
}
