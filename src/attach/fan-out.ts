import type { Session } from "../agent/session.ts";
import type { EventFeed } from "./event-feed.ts";

/** One socket that follows a session. */
export interface Reader {
  /** Its place, for as long as it reads by itself. */
  readonly feed: EventFeed;
  /** From now on it gets what is published. */
  enter(): void;
  leave(): void;
  /** Bytes that its socket has not taken yet. */
  buffered(): number;
  /** The session is no more. */
  ended(): void;
}

/** What is published in one turn at most, UTF-16 code units: far below the limit at which Bun drops frames. */
const MAX_PUBLISHED = 1024 * 1024;

/**
 * Sends a session's events to all its sockets.
 *
 * Sockets that have taken everything share one `publish`: Bun joins what it gets in one turn and writes it to each socket
 * in one go, which for a thousand of them is twenty times as fast as `send` to each. It does not say which socket could
 * not take it, so each is asked before the next turn's events: one with something unread leaves, and reads on from the
 * journal by itself, as its {@link EventFeed} has it, until it has caught up.
 */
export class FanOut {
  readonly #session: Session;
  readonly #publish: (frame: string) => void;
  /** Readers that have been sent everything up to `#cursor`. */
  readonly #live = new Set<Reader>();
  readonly #behind = new Set<Reader>();
  #cursor: number;
  #isPending = false;
  #unsubscribe: (() => void) | undefined;

  constructor(session: Session, publish: (frame: string) => void) {
    this.#session = session;
    this.#publish = publish;
    this.#cursor = session.journal.lastSeq;
  }

  add(reader: Reader): void {
    this.flush();
    // Nobody was there to be told of what came meanwhile.
    if (this.#unsubscribe === undefined) this.#cursor = this.#session.journal.lastSeq;
    this.#unsubscribe ??= this.#session.subscribe({
      wake: () => this.#wake(),
      ended: () => {
        for (const one of [...this.#live, ...this.#behind]) one.ended();
      },
    });
    this.#behind.add(reader);
    this.#pump(reader);
  }

  remove(reader: Reader): void {
    this.#live.delete(reader);
    this.#behind.delete(reader);
    reader.feed.stop();
    if (this.#live.size + this.#behind.size > 0) return;
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
  }

  /** The reader's socket has room again. */
  drained(reader: Reader): void {
    if (!this.#behind.has(reader)) return;
    reader.feed.drain();
    this.#pump(reader);
  }

  /** Sends what is there: to be called before anything else is sent, so that events and answers keep their order. */
  flush(): void {
    if (!this.#isPending) return;
    this.#isPending = false;
    for (const reader of this.#live) {
      if (reader.buffered() > 0) this.#leave(reader, true);
    }
    this.#publishNew();
    for (const reader of this.#behind) this.#pump(reader);
  }

  /** All events of one chunk of pi's output go out together. */
  #wake(): void {
    if (this.#isPending) return;
    this.#isPending = true;
    queueMicrotask(() => this.flush());
  }

  #publishNew(): void {
    const { journal } = this.#session;
    let published = 0;
    while (this.#live.size > 0) {
      const entry = journal.after(this.#cursor);
      if (entry === undefined) return;
      published += entry.frame.length;
      if (published > MAX_PUBLISHED) for (const reader of this.#live) this.#leave(reader, false);
      else {
        this.#publish(entry.frame);
        this.#cursor = entry.seq;
      }
    }
    this.#cursor = journal.lastSeq;
  }

  #leave(reader: Reader, isFull: boolean): void {
    reader.leave();
    this.#live.delete(reader);
    this.#behind.add(reader);
    reader.feed.goOnFrom(this.#cursor, isFull);
  }

  #pump(reader: Reader): void {
    reader.feed.pump();
    // Gone, or the events behind `#cursor` are still to be published.
    if (!this.#behind.has(reader) || !reader.feed.isAt(this.#cursor)) return;
    this.#behind.delete(reader);
    this.#live.add(reader);
    reader.enter();
  }
}
