import type { Clock } from "../clock.ts";
import type { PiRecord } from "./pi.ts";

/** Dialogs of pi's extensions that wait for an answer; the other methods of `extension_ui_request` want none. */
const ASKING = new Set(["select", "confirm", "input", "editor"]);

/** Dialogs that wait at the same time, count: an extension that asks in a loop must not fill the memory. */
export const MAX_OPEN_DIALOGS = 64;

/** How a dialog ended: an answer, a cancellation, or nobody in time. */
export interface DialogResult {
  readonly value?: string;
  readonly confirmed?: boolean;
  readonly cancelled?: true;
}

/**
 * The dialogs that are open in a session. Each is answered once: the first answer wins, later ones are told so.
 */
export class Dialogs {
  readonly #open = new Map<string, { request: PiRecord; cancelTimer: () => void }>();
  readonly #clock: Clock;
  readonly #resolved: (id: string, result: DialogResult) => void;

  /** @param resolved - told of every dialog's end, so that all clients close it */
  constructor(clock: Clock, resolved: (id: string, result: DialogResult) => void) {
    this.#clock = clock;
    this.#resolved = resolved;
  }

  /** The requests that still wait, for a client that comes late. */
  get open(): PiRecord[] {
    return [...this.#open.values()].map(({ request }) => request);
  }

  /**
   * Takes note of a request if it wants an answer.
   *
   * @returns false if too many wait already: then nobody will answer it
   */
  ask(request: PiRecord): boolean {
    const { id, method, timeout } = request;
    if (typeof id !== "string" || !ASKING.has(String(method))) return true;
    if (this.#open.size >= MAX_OPEN_DIALOGS) return false;
    // pi answers itself after `timeout` milliseconds, without a word.
    const cancelTimer =
      typeof timeout === "number" && timeout > 0
        ? this.#clock.after(timeout, () => this.#close(id, { cancelled: true }))
        : () => {};
    this.#open.set(id, { request, cancelTimer });
    return true;
  }

  /** True while a dialog waits for its answer. */
  isOpen(id: string): boolean {
    return this.#open.has(id);
  }

  /** Ends a dialog; the caller passes the answer on to pi. Does nothing for one that is over. */
  resolve(id: string, result: DialogResult): void {
    this.#close(id, result);
  }

  /** The process that asked is gone. */
  cancelAll(): void {
    for (const id of this.#open.keys()) this.#close(id, { cancelled: true });
  }

  #close(id: string, result: DialogResult): void {
    const dialog = this.#open.get(id);
    if (dialog === undefined) return;
    dialog.cancelTimer();
    this.#open.delete(id);
    this.#resolved(id, result);
  }
}
