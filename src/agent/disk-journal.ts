import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import { checkedLine } from "./checked-lines.ts";
import { type Journal, type JournalEntry, MemoryJournal } from "./journal.ts";
import {
  bytesOf,
  cutSegment,
  deleteSegment,
  isSegmentName,
  lastSeqOf,
  readFrames,
  readSegment,
  type Segment,
  segmentPath,
} from "./segment.ts";

export interface DiskJournalOptions {
  /** Folder of its own, made with mode 0700. */
  readonly dir: string;
  /** Events that are kept at least, count · 10 000 (contract section 5). */
  readonly maxEvents: number;
  /** Or as many as this holds, bytes · 64 Mi. */
  readonly maxBytes: number;
  /** Names the run of the machine, see {@link bootId}; `undefined` = each end without {@link DiskJournal.close} counts as the machine's. */
  readonly bootId: string | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** A file ends when it holds an eighth of what is kept: so much is kept beyond it at most. */
const SEGMENTS = 8;
/** Written events reach the disk within this, ms: one fdatasync for all of them. */
const SYNC_AFTER_MS = 100;
/** Pause between tries while the disk takes nothing, ms. */
const RETRY_MS = 250;
/** Newest events kept in memory, for readers that keep up. */
const RECENT_EVENTS = 2000;
const RECENT_LENGTH = 4 * 1024 * 1024;
/** What is read at once for a reader that is behind, bytes. */
const BLOCK_BYTES = 256 * 1024;
/** Numbers left out after a crash of the machine: more than can have been sent and not have reached the disk. */
const CRASH_GAP = 1_000_000;

/**
 * The events of one session in files: `<number of the first>.log`, each event a line with a CRC.
 *
 * - Numbers rise by one, also across restarts. An event can be read, and so be sent, only once it is written; so the
 *   death of the process loses none that anyone has seen.
 * - The crash of the whole machine may lose the last {@link SYNC_AFTER_MS}. Numbers then go on a million further and
 *   nothing before is reachable: a client never gets another event under a number it knows, it is told to resync.
 * - Torn ends are cut off at the start.
 * - When the disk is full (or fails) events wait in memory; {@link isBehind} tells, and whoever appends should stop.
 */
export class DiskJournal implements Journal {
  readonly #options: DiskJournalOptions;
  #segments: Segment[] = [];
  /** Of the newest segment. */
  #fd: number | undefined;
  #recent: MemoryJournal;
  /** Number of the newest event on disk. */
  #lastSeq = 0;
  /** Nothing can be replayed to a reader who has not seen this one. */
  #floorSeq = 0;
  /** Events that the disk has not taken yet, in order. */
  #unwritten: { readonly seq: number; readonly line: string }[] = [];
  #caughtUp: PromiseWithResolvers<void> | undefined;
  #cancelRetry = () => {};
  #cancelSync: (() => void) | undefined;
  #block: { readonly firstSeq: number; readonly frames: readonly string[] } | undefined;
  #isClosed = false;

  /** @throws {Error} of the file system if the folder can't be read or made */
  constructor(options: DiskJournalOptions) {
    this.#options = options;
    mkdirSync(options.dir, { recursive: true, mode: 0o700 });
    this.#load();
    this.#recent = new MemoryJournal({
      firstSeq: this.#lastSeq + 1,
      maxEvents: RECENT_EVENTS,
      maxLength: RECENT_LENGTH,
    });
    this.#markOpen();
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Events wait because the disk does not take them. */
  get isBehind(): boolean {
    return this.#unwritten.length > 0;
  }

  append(event: string): JournalEntry {
    const entry = this.#recent.append(event);
    this.#unwritten.push({ seq: entry.seq, line: checkedLine(entry.frame) });
    // Behind already: the timer tries again, in order.
    if (this.#caughtUp === undefined && !this.#isClosed) this.#write();
    return entry;
  }

  /** Settles when everything is written again; `undefined` if it is. */
  caughtUp(): Promise<void> | undefined {
    return this.#caughtUp?.promise;
  }

  after(seq: number): JournalEntry | undefined {
    if (!(seq < this.#lastSeq)) return undefined;
    const recent = this.#recent.after(seq);
    if (recent !== undefined) return recent;
    const segment = this.#segments.find((one) => lastSeqOf(one) > seq);
    if (segment === undefined) return undefined;
    const next = Math.max(seq + 1, segment.firstSeq);
    // A hole before it: whoever asks has not been told of it, see `reaches`.
    if (next !== seq + 1 && seq >= this.#floorSeq) return undefined;
    if (!Number.isInteger(next)) return undefined;
    return this.#fromBlock(next) ?? this.#fromDisk(segment, next);
  }

  reaches(seq: number): boolean {
    return seq >= this.#floorSeq && seq <= this.#lastSeq;
  }

  lengthAfter(seq: number): number {
    if (this.#recent.reaches(seq) && !this.isBehind) return this.#recent.lengthAfter(seq);
    let bytes = 0;
    for (const segment of this.#segments) {
      const index = seq - segment.firstSeq;
      const from = index < 0 ? segment.start : (segment.ends[index] ?? Number.POSITIVE_INFINITY);
      bytes += Math.max(0, (segment.ends.at(-1) ?? 0) - from);
    }
    return bytes;
  }

  /** Everything written reaches the disk; the next start knows that nothing is missing. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelRetry();
    this.#cancelSync?.();
    const { dir, log } = this.#options;
    try {
      if (this.#unwritten.length > 0) this.#writeAll();
      if (this.#fd !== undefined) fdatasyncSync(this.#fd);
      rmSync(join(dir, OPEN_MARK), { force: true });
    } catch (error) {
      log.error("journal_close_failed", { dir, reason: (error as Error).message });
    }
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    // Whoever waits goes on; what could not be written is not counted as kept.
    this.#caughtUp?.resolve();
  }

  #load(): void {
    const { dir, log } = this.#options;
    const names = readdirSync(dir).filter(isSegmentName).toSorted();
    for (const [index, name] of names.entries()) {
      const path = join(dir, name);
      const { segment, tornBytes, isDamaged } = readSegment(path);
      const isLast = index === names.length - 1;
      if (isDamaged || (tornBytes > 0 && !isLast)) log.error("journal_damaged", { file: path });
      if (segment === undefined) {
        // A crash between making a file and its first event.
        rmSync(path, { force: true });
        continue;
      }
      if (tornBytes > 0) {
        if (isLast) log.warn("journal_repaired", { file: path, bytes: tornBytes });
        cutSegment(segment);
      }
      const before = this.#segments.at(-1);
      if (before === undefined || lastSeqOf(before) + 1 !== segment.firstSeq) {
        this.#floorSeq = segment.firstSeq - 1;
      }
      this.#segments.push(segment);
      this.#lastSeq = lastSeqOf(segment);
    }
    const mark = readMark(dir);
    if (mark !== undefined && mark !== this.#options.bootId && this.#segments.length > 0) {
      log.warn("journal_gap", {
        dir,
        reason: "the machine stopped while events were on their way",
      });
      this.#lastSeq += CRASH_GAP;
      this.#floorSeq = this.#lastSeq;
    }
  }

  /** Says on disk that this run of the machine may have sent what is not safe yet. */
  #markOpen(): void {
    const { dir, log } = this.#options;
    try {
      const fd = openSync(join(dir, OPEN_MARK), "w", 0o600);
      try {
        writeFileSync(fd, this.#options.bootId ?? "unknown");
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      syncFolder(dir);
    } catch (error) {
      log.error("journal_mark_failed", { dir, reason: (error as Error).message });
    }
  }

  #write(): void {
    try {
      this.#writeAll();
    } catch (error) {
      this.#fallBehind((error as Error).message);
    }
  }

  #writeAll(): void {
    let written = 0;
    try {
      for (const { seq, line } of this.#unwritten) {
        this.#writeLine(seq, line);
        written++;
      }
    } finally {
      if (written > 0) this.#unwritten = this.#unwritten.slice(written);
    }
    this.#scheduleSync();
  }

  #writeLine(seq: number, line: string): void {
    const segment = this.#writable(seq);
    const at = segment.ends.at(-1) ?? segment.start;
    const length = Buffer.byteLength(line);
    // At its place and not at the file's end: what a full disk took of an earlier try is written over.
    const written = writeSync(this.#fd as number, line, at);
    if (written !== length) throw new ShortWrite(`${written} of ${length} bytes were taken`);
    segment.ends.push(at + length);
    this.#lastSeq = seq;
  }

  /** The segment that takes the event `seq`; a new one when the newest is full. */
  #writable(seq: number): Segment {
    const { dir, maxEvents, maxBytes } = this.#options;
    const newest = this.#segments.at(-1);
    const isFull =
      newest === undefined ||
      lastSeqOf(newest) + 1 !== seq ||
      newest.ends.length >= maxEvents / SEGMENTS ||
      bytesOf(newest) >= maxBytes / SEGMENTS;
    if (!isFull) {
      this.#fd ??= openSync(newest.path, "r+");
      return newest;
    }
    const path = segmentPath(dir, seq);
    const fd = openSync(path, "w", 0o600);
    if (this.#fd !== undefined) closeAfterSync(this.#fd);
    this.#fd = fd;
    try {
      syncFolder(dir);
    } catch {
      // The next sync tells.
    }
    const segment: Segment = { path, firstSeq: seq, start: 0, ends: [] };
    this.#segments.push(segment);
    this.#forgetOldest();
    return segment;
  }

  /** Deletes files that are not needed to keep what is promised. */
  #forgetOldest(): void {
    const { maxEvents, maxBytes } = this.#options;
    let events = 0;
    let bytes = 0;
    let keep = this.#segments.length;
    while (keep > 0 && events < maxEvents && bytes < maxBytes) {
      keep--;
      events += (this.#segments[keep] as Segment).ends.length;
      bytes += bytesOf(this.#segments[keep] as Segment);
    }
    if (keep === 0) return;
    for (const segment of this.#segments.splice(0, keep)) deleteSegment(segment);
    this.#floorSeq = Math.max(this.#floorSeq, (this.#segments[0] as Segment).firstSeq - 1);
  }

  #fallBehind(reason: string): void {
    const { dir, log, clock } = this.#options;
    if (this.#caughtUp === undefined) log.error("journal_behind", { dir, reason });
    this.#caughtUp ??= Promise.withResolvers();
    this.#cancelRetry = clock.after(RETRY_MS, () => {
      this.#write();
      if (this.isBehind) return;
      log.info("journal_caught_up", { dir });
      this.#caughtUp?.resolve();
      this.#caughtUp = undefined;
    });
  }

  #scheduleSync(): void {
    if (this.#isClosed) return;
    const { clock, dir, log } = this.#options;
    this.#cancelSync ??= clock.after(SYNC_AFTER_MS, () => {
      this.#cancelSync = undefined;
      if (this.#fd === undefined) return;
      fdatasync(this.#fd, (error) => {
        // Closed meanwhile: then it was synced there.
        if (error && error.code !== "EBADF")
          log.error("journal_sync_failed", { dir, reason: error.message });
      });
    });
  }

  #fromBlock(seq: number): JournalEntry | undefined {
    const block = this.#block;
    const frame = block?.frames[seq - block.firstSeq];
    return frame === undefined ? undefined : { seq, frame };
  }

  #fromDisk(segment: Segment, seq: number): JournalEntry | undefined {
    try {
      const frames = readFrames(segment, seq, BLOCK_BYTES);
      this.#block = { firstSeq: seq, frames };
      return { seq, frame: frames[0] as string };
    } catch (error) {
      const { log } = this.#options;
      log.error("journal_damaged", { file: segment.path, reason: (error as Error).message });
      // Readers behind the damage resync.
      this.#floorSeq = Math.max(this.#floorSeq, lastSeqOf(segment));
      return undefined;
    }
  }
}

/** The disk took a part of a line. */
class ShortWrite extends Error {
  override readonly name = "ShortWrite";
}

/** Present while a journal is open, with the machine's run in it. */
const OPEN_MARK = "open";

function readMark(dir: string): string | undefined {
  try {
    return readFileSync(join(dir, OPEN_MARK), "utf8");
  } catch {
    return undefined;
  }
}

function closeAfterSync(fd: number): void {
  fdatasync(fd, () => closeSync(fd));
}

/** A file's name is safe only once its folder is. */
function syncFolder(dir: string): void {
  const fd = openSync(dir, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** What names this run of the machine; `undefined` where there is no such thing (Linux: random(4)). */
export function bootId(): string | undefined {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return undefined;
  }
}
