import type { Journal } from "../agent/journal.ts";
import { LIMITS } from "./protocol.ts";

/** What an {@link EventFeed} sends through. */
export interface FeedSink {
  /** `sent`; `full`: taken, but nothing more until it drains; `gone`: dropped or closed. */
  send(frame: string): "sent" | "full" | "gone";
  /** The reader is too far behind to go on. */
  tooSlow(): void;
  /** Calls `run` once after `delayMs` unless cancelled. */
  after(delayMs: number, run: () => void): () => void;
}

/** While it catches up, a reader must take something in this time, ms. */
const CATCH_UP_STALL_MS = 30_000;

/**
 * Sends one reader the journal from its place in it on. Nothing is queued for a slow one: it keeps its place and is
 * sent what follows when its socket drains, so it costs the others nothing and no memory of its own.
 *
 * Behind by more than `maxUnreadBytes` it is given up, unless it is still catching up with what it missed.
 */
export class EventFeed {
  readonly #journal: Journal;
  readonly #sink: FeedSink;
  /** Number of the last event sent. */
  #cursor: number;
  #isFull = false;
  #isCatchingUp: boolean;
  #isStallWatched = false;
  #cancelStall = () => {};

  /** @param after - number of the last event that the reader has seen */
  constructor(journal: Journal, after: number, sink: FeedSink) {
    this.#journal = journal;
    this.#sink = sink;
    this.#cursor = after;
    this.#isCatchingUp = after < journal.lastSeq;
  }

  /** The socket said that it is full. */
  fill(): void {
    this.#isFull = true;
  }

  /** The socket has room again. */
  drain(): void {
    this.#isFull = false;
    this.pump();
  }

  /** True if the reader has been sent everything up to `seq`, and its socket has taken it. */
  isAt(seq: number): boolean {
    return this.#cursor === seq && !this.#isFull;
  }

  /** The reader was sent everything up to `seq` by another way. */
  goOnFrom(seq: number, isFull: boolean): void {
    this.#cursor = seq;
    this.#isFull = isFull;
  }

  /** Sends what can be sent. */
  pump(): void {
    const before = this.#cursor;
    while (!this.#isFull) {
      const entry = this.#journal.after(this.#cursor);
      if (entry === undefined) break;
      this.#cursor = entry.seq;
      const sent = this.#sink.send(entry.frame);
      if (sent === "gone") return;
      this.#isFull = sent === "full";
    }
    if (this.#cursor === this.#journal.lastSeq) {
      this.#isCatchingUp = false;
      this.#cancelStall();
    } else if (this.#isTooFarBehind()) this.#sink.tooSlow();
    // New events alone give a reader that takes nothing no more time.
    else if (this.#isCatchingUp && (this.#cursor !== before || !this.#isStallWatched))
      this.#watchStall();
  }

  #watchStall(): void {
    this.#cancelStall();
    this.#isStallWatched = true;
    this.#cancelStall = this.#sink.after(CATCH_UP_STALL_MS, () => this.#sink.tooSlow());
  }

  stop(): void {
    this.#cancelStall();
  }

  #isTooFarBehind(): boolean {
    if (!this.#journal.reaches(this.#cursor)) return true;
    return !this.#isCatchingUp && this.#journal.lengthAfter(this.#cursor) > LIMITS.maxUnreadBytes;
  }
}
