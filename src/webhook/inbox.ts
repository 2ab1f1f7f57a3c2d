import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";

/** The session that webhooks wake. */
export interface Receiver {
  /** True while nothing runs and nobody's prompt is on its way. */
  readonly isFree: boolean;
  /** The returned function ends it. */
  subscribe(follower: Follower): () => void;
  /**
   * Hands a message over; only while `isFree`.
   *
   * @returns whether it was taken on: then it is the session's to see that it runs, once. A message that is offered
   *   again, after a crash, is known by its id
   */
  offer(message: Waiting): boolean;
}

export interface Follower {
  /** Called whenever `isFree` may have changed, also within `offer`. */
  wake(): void;
  /** This session is no more; another may get its name. */
  ended(): void;
}

/** A message that waits. */
export interface Waiting {
  readonly id: string;
  readonly source: string;
  readonly message: string;
}

export interface InboxOptions {
  readonly session: string;
  /** `undefined` while there is none. */
  readonly receiver: () => Receiver | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when the session has taken a message on. */
  readonly settled: (id: string) => void;
}

/** Messages that wait for one session, count, and their length in all, UTF-16 code units. */
export const MAX_WAITING = 64;
const MAX_WAITING_LENGTH = 2 * 1024 * 1024;
/**
 * The session must have been free for so long, ms: who has just read the agent's answer has the floor, and a prompt of
 * the owner's that is on its way arrives first.
 */
const QUIET_MS = 300;
/** Pause after one was refused, ms: it doubles up to the longest, which is also the one while there is no session. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;

/**
 * The webhooks that wait for one session, oldest first. They wait here and not in pi's own queue, so that everything
 * the owner says, queued or not, goes before them: one is handed over only when the session is free. A session that takes
 * nothing, since the disk is full for instance, is asked again and again; nothing is given up.
 */
export class Inbox implements Disposable {
  readonly #options: InboxOptions;
  readonly #waiting: Waiting[] = [];
  #length = 0;
  #isOffering = false;
  /** In a row, of the first one. */
  #refusals = 0;
  /** Nothing is offered before, whatever wakes us. */
  #notBeforeMs = Number.NEGATIVE_INFINITY;
  #freeSinceMs: number | undefined;
  #unsubscribe: (() => void) | undefined;
  #cancelTimer = () => {};
  #isClosed = false;

  constructor(options: InboxOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** False if a message of this length would be too much. */
  hasRoom(length: number): boolean {
    return this.#waiting.length < MAX_WAITING && this.#length + length <= MAX_WAITING_LENGTH;
  }

  /** The caller has asked {@link hasRoom}. */
  push(message: Waiting): void {
    this.#waiting.push(message);
    this.#length += message.message.length;
    this.#pump();
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#rest();
  }

  #pump(): void {
    this.#cancelTimer();
    const [next] = this.#waiting;
    if (next === undefined) this.#rest();
    if (next === undefined || this.#isOffering || this.#isClosed) return;
    const receiver = this.#options.receiver();
    if (receiver === undefined) {
      this.#pumpAfter(MAX_RETRY_MS);
      return;
    }
    this.#unsubscribe ??= receiver.subscribe({
      wake: () => this.#pump(),
      ended: () => {
        this.#rest();
        this.#pumpAfter(FIRST_RETRY_MS);
      },
    });
    if (!receiver.isFree) {
      this.#freeSinceMs = undefined;
      return;
    }
    const nowMs = this.#options.clock.monotonicMs();
    this.#freeSinceMs ??= nowMs;
    const waitMs = Math.max(this.#freeSinceMs + QUIET_MS, this.#notBeforeMs) - nowMs;
    if (waitMs > 0) this.#pumpAfter(waitMs);
    else this.#handOver(receiver, next, nowMs);
  }

  #handOver(receiver: Receiver, next: Waiting, nowMs: number): void {
    let isTaken = false;
    this.#freeSinceMs = undefined;
    this.#isOffering = true;
    try {
      isTaken = receiver.offer(next);
    } finally {
      this.#isOffering = false;
    }
    if (isTaken) this.#settle(next);
    else this.#notBeforeMs = nowMs + Math.min(FIRST_RETRY_MS * 2 ** this.#refusals++, MAX_RETRY_MS);
    this.#pump();
  }

  #settle({ id, source, message }: Waiting): void {
    const { session, log, settled } = this.#options;
    this.#waiting.shift();
    this.#length -= message.length;
    this.#refusals = 0;
    this.#notBeforeMs = Number.NEGATIVE_INFINITY;
    log.info("webhook_delivered", { session, source, id, waiting: this.#waiting.length });
    settled(id);
  }

  #pumpAfter(delayMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(delayMs, () => this.#pump());
  }

  #rest(): void {
    this.#cancelTimer();
    this.#unsubscribe?.();
    this.#unsubscribe = undefined;
    this.#freeSinceMs = undefined;
  }
}
