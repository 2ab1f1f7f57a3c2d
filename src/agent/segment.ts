import { closeSync, ftruncateSync, openSync, readFileSync, readSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { lineAt, nextLineStart } from "./checked-lines.ts";

/** A file of a journal: numbered events without a gap, one a line (see `checked-lines.ts`). */
export interface Segment {
  readonly path: string;
  /** Number of the first event, also in the file's name. */
  readonly firstSeq: number;
  /** Where the first whole event begins: behind 0 only in a damaged file. */
  readonly start: number;
  /** Where each event ends, bytes. */
  readonly ends: number[];
}

const NAME = /^(\d{16})\.log$/;

export function segmentPath(dir: string, firstSeq: number): string {
  return join(dir, `${String(firstSeq).padStart(16, "0")}.log`);
}

/** True for names that {@link segmentPath} gives. */
export function isSegmentName(name: string): boolean {
  return NAME.test(name);
}

export function lastSeqOf({ firstSeq, ends }: Segment): number {
  return firstSeq + ends.length - 1;
}

export function bytesOf({ start, ends }: Segment): number {
  return (ends.at(-1) ?? start) - start;
}

const SEQ = /^\{"type":"event","seq":(\d+),"event":/;

/** What was found while a segment was read. */
export interface ReadSegment {
  readonly segment: Segment | undefined;
  /** Bytes at the end that are no whole event. */
  readonly tornBytes: number;
  /** True if whole events follow behind one that is not: no crash does that, a failing disk does. */
  readonly isDamaged: boolean;
}

/**
 * Reads a segment. In a damaged one only what follows the damage counts, since a client can't be given a history with
 * a hole in it. `segment` is `undefined` if nothing is left.
 */
export function readSegment(path: string): ReadSegment {
  const bytes = readFileSync(path);
  let firstSeq = 0;
  let start = 0;
  let ends: number[] = [];
  let isDamaged = false;
  let at = 0;
  let goodEnd = 0;
  while (at < bytes.length) {
    const line = lineAt(bytes, at);
    const seq = line === undefined ? undefined : SEQ.exec(line.text)?.[1];
    if (line === undefined || seq === undefined) {
      at = nextLineStart(bytes, at);
      continue;
    }
    if (ends.length > 0 && (at !== goodEnd || Number(seq) !== firstSeq + ends.length)) ends = [];
    if (ends.length === 0) {
      isDamaged = isDamaged || at !== 0;
      start = at;
      firstSeq = Number(seq);
    }
    ends.push(line.end);
    at = line.end;
    goodEnd = line.end;
  }
  const segment = ends.length === 0 ? undefined : { path, firstSeq, start, ends };
  return { segment, tornBytes: bytes.length - goodEnd, isDamaged };
}

/** Cuts off what follows the last whole event. */
export function cutSegment({ path, ends, start }: Segment): void {
  const fd = openSync(path, "r+");
  try {
    ftruncateSync(fd, ends.at(-1) ?? start);
  } finally {
    closeSync(fd);
  }
}

export function deleteSegment({ path }: Segment): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}

/**
 * The frames of a segment from `seq` on: at least one, and as many as fit into `maxBytes`.
 *
 * @throws {Error} if the file can't be read or one of them is not whole any more
 */
export function readFrames(segment: Segment, seq: number, maxBytes: number): string[] {
  const first = seq - segment.firstSeq;
  const start = first === 0 ? segment.start : (segment.ends[first - 1] as number);
  let count = 1;
  while (
    first + count < segment.ends.length &&
    (segment.ends[first + count] as number) - start <= maxBytes
  ) {
    count++;
  }
  const end = segment.ends[first + count - 1] as number;
  const bytes = Buffer.allocUnsafe(end - start);
  const fd = openSync(segment.path, "r");
  try {
    for (let read = 0; read < bytes.length;) {
      const more = readSync(fd, bytes, read, bytes.length - read, start + read);
      if (more === 0) throw new Error("the journal's file is shorter than it was");
      read += more;
    }
  } finally {
    closeSync(fd);
  }
  const frames: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const line = lineAt(bytes, at);
    if (line === undefined) throw new Error("an event in the journal's file is damaged");
    frames.push(line.text);
    at = line.end;
  }
  return frames;
}
