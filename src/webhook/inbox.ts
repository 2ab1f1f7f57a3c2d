import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";

/** The session that webhooks wake. */
export interface Receiver {
  /** True while nothing runs and nobody's prompt is on its way. */
  readonly isFree: boolean;
  /** Calls `wake` whenever `isFree` may have changed; the returned function ends that. */
  subscribe(wake: () => void): () => void;
  /**
   * Hands a message over; only while `isFree`. `done` is called once, with whether it was taken on: then it is the
   * session's to see that it runs, once. A message that is offered again, after a crash, is known by its id.
   */
  offer(message: Pick<Waiting, "id" | "message">, done: (answer: Answer) => void): void;
}

export interface Answer {
  readonly success: boolean;
}

/** A message that waits. */
export interface Waiting {
  readonly id: string;
  readonly source: string;
  readonly message: string;
}

export interface InboxOptions {
  readonly session: string;
  readonly receiver: () => Receiver | undefined;
  readonly clock: Clock;
  readonly log: Log;
  /** Told when the agent has a message, or never will. */
  readonly settled: (id: string, isDelivered: boolean) => void;
}

/** Messages that wait for one session, count, and their length in all, UTF-16 code units. */
export const MAX_WAITING = 64;
export const MAX_WAITING_LENGTH = 2 * 1024 * 1024;
/**
 * The session must have been free for so long, ms: who has just read the agent's answer has the floor, and a prompt of
 * the owner's that is on its way arrives first.
 */
const QUIET_MS = 300;
/** Pause after the agent refused one, ms: it doubles up to the longest. */
const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 30_000;
/** Tries until a message is given up: some four minutes. */
const MAX_TRIES = 14;

/**
 * The webhooks that wait for one session, oldest first. They wait here and not in pi's own queue, so that everything
 * the owner says, queued or not, goes before them: one is handed over only when the session is free.
 */
export class Inbox implements Disposable {
  readonly #options: InboxOptions;
  readonly #waiting: Waiting[] = [];
  #length = 0;
  #handedOver = false;
  #tries = 0;
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
    if (next === undefined || this.#handedOver || this.#isClosed) return;
    const receiver = this.#options.receiver();
    if (receiver === undefined) {
      this.#again();
      return;
    }
    this.#unsubscribe ??= receiver.subscribe(() => this.#pump());
    if (!receiver.isFree) {
      this.#freeSinceMs = undefined;
      return;
    }
    const nowMs = this.#options.clock.monotonicMs();
    this.#freeSinceMs ??= nowMs;
    const quietMs = this.#freeSinceMs + QUIET_MS - nowMs;
    if (quietMs > 0) this.#cancelTimer = this.#options.clock.after(quietMs, () => this.#pump());
    else this.#handOver(receiver, next);
  }

  #handOver(receiver: Receiver, next: Waiting): void {
    this.#handedOver = true;
    this.#freeSinceMs = undefined;
    receiver.offer(next, ({ success }) => {
      this.#handedOver = false;
      if (this.#isClosed) return;
      if (success) this.#settle(next, true);
      else if (++this.#tries >= MAX_TRIES) this.#settle(next, false);
      else {
        this.#again();
        return;
      }
      this.#pump();
    });
  }

  #settle({ id, source, message }: Waiting, isDelivered: boolean): void {
    const { session, log } = this.#options;
    this.#waiting.shift();
    this.#length -= message.length;
    this.#tries = 0;
    const fields = { session, source, id, waiting: this.#waiting.length };
    if (isDelivered) log.info("webhook_delivered", fields);
    else log.error("webhook_lost", { ...fields, reason: "the agent did not take it" });
    this.#options.settled(id, isDelivered);
  }

  #again(): void {
    const delayMs = Math.min(FIRST_RETRY_MS * 2 ** this.#tries, MAX_RETRY_MS);
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
