import { LIMITS, type ResponseFrame } from "./protocol.ts";

/** A command as a client sends it: pi's, with Nest's additions. Fields are the command's own. */
export interface ClientCommand {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Why a command has no response. */
export type UndeliveredCode =
  /** The connection broke behind it: whether it ran is not known. */
  | "outcome_unknown"
  /** Never sent. */
  | "not_sent"
  | "too_many_waiting"
  | "frame_too_large";

/** Raised where a command has no response; one that was refused has a response with `success: false`. */
export class Undelivered extends Error {
  override readonly name = "Undelivered";
  readonly code: UndeliveredCode;

  constructor(code: UndeliveredCode) {
    super(MESSAGES[code]);
    this.code = code;
  }
}

const MESSAGES: Record<UndeliveredCode, string> = {
  outcome_unknown: "The connection broke before the answer came; it may have run",
  not_sent: "Not sent: there is no connection",
  too_many_waiting: "Not sent: too much waits for the connection",
  frame_too_large: "Not sent: larger than one frame may be",
};

/** Commands that wait for being sent or for an answer, count and UTF-16 code units. */
const MAX_PENDING = 256;
const MAX_PENDING_LENGTH = 4 * 1024 * 1024;

interface Pending {
  readonly text: string;
  /** May be sent anew on the next connection, since it runs once. */
  readonly isKeyed: boolean;
  /** On the connection of now. */
  isSent: boolean;
  /** On any. */
  wasSent: boolean;
  readonly settle: (result: ResponseFrame | Undelivered) => void;
}

/** The commands of a client from their sending to their answer, across connections. */
export class Outbox {
  readonly #pending = new Map<string, Pending>();
  #length = 0;
  #lastId = 0;

  /**
   * Takes a command in.
   *
   * @param signal - gives it up: unsent it is never sent, else its answer is no longer waited for
   * @returns its answer; rejects with {@link Undelivered} only
   */
  add(command: ClientCommand, signal?: AbortSignal): Promise<ResponseFrame> {
    return new Promise((resolve, reject) => {
      // A dialog's answer carries the dialog's own id.
      const id = typeof command["id"] === "string" ? command["id"] : `c${++this.#lastId}`;
      const text = JSON.stringify({ ...command, id });
      const giveUp = () => this.#giveUp(id);
      if (signal?.aborted === true) reject(new Undelivered("not_sent"));
      else if (new TextEncoder().encode(text).length > LIMITS.maxFrameBytes)
        reject(new Undelivered("frame_too_large"));
      else if (
        this.#pending.has(id) ||
        this.#pending.size >= MAX_PENDING ||
        this.#length + text.length > MAX_PENDING_LENGTH
      ) {
        reject(new Undelivered("too_many_waiting"));
      } else {
        signal?.addEventListener("abort", giveUp);
        this.#length += text.length;
        this.#pending.set(id, {
          text,
          isKeyed: typeof command["key"] === "string",
          isSent: false,
          wasSent: false,
          settle: (result) => {
            signal?.removeEventListener("abort", giveUp);
            if (result instanceof Undelivered) reject(result);
            else resolve(result);
          },
        });
      }
    });
  }

  /** Sends what is not sent yet, in order, as long as `send` takes it; false if something is left. */
  flush(send: (text: string) => boolean): boolean {
    for (const pending of this.#pending.values()) {
      if (pending.isSent) continue;
      if (!send(pending.text)) return false;
      pending.isSent = true;
      pending.wasSent = true;
    }
    return true;
  }

  /** A response came; one that nobody waits for is none of ours. */
  answer(frame: ResponseFrame): void {
    if (typeof frame.id === "string") this.#settle(frame.id, frame);
  }

  /** The connection broke: what has a key goes out again on the next one, of the rest nobody knows. */
  disconnected(): void {
    for (const [id, pending] of this.#pending) {
      if (pending.isKeyed) pending.isSent = false;
      else this.#giveUp(id);
    }
  }

  /** The server no longer knows what it ran before: nothing goes out twice. */
  forgotten(): void {
    for (const [id, { wasSent }] of this.#pending) if (wasSent) this.#giveUp(id);
  }

  /** Gives everything up. */
  clear(): void {
    for (const id of this.#pending.keys()) this.#giveUp(id);
  }

  #giveUp(id: string): void {
    const wasSent = this.#pending.get(id)?.wasSent === true;
    this.#settle(id, new Undelivered(wasSent ? "outcome_unknown" : "not_sent"));
  }

  #settle(id: string, result: ResponseFrame | Undelivered): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    this.#length -= pending.text.length;
    pending.settle(result);
  }
}
