import type { Clock } from "../clock.ts";

/** Longest work in one go, ms: what a request may have to wait for it. */
const WORK_MS = 8;

/** Long work in short pieces, so that the server goes on answering in between. */
export class TimeSlice {
  readonly #clock: Clock;
  readonly #pauseMs: number;
  #endMs: number;
  #isStopped = false;
  #resume = () => {};

  /** @param pauseMs - behind 8 ms of work: 0 for what somebody waits for, 8 for what may take half a core */
  constructor(clock: Clock, pauseMs: number) {
    this.#clock = clock;
    this.#pauseMs = pauseMs;
    this.#endMs = clock.monotonicMs() + WORK_MS;
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endMs;
  }

  /** Lets others run, then begins anew. */
  async pause(): Promise<void> {
    if (this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(this.#pauseMs, resolve);
    this.#resume = () => {
      cancel();
      resolve();
    };
    await promise;
    this.#endMs = this.#clock.monotonicMs() + WORK_MS;
  }

  /** Ends the pause, and makes no other: what is under way is to be ended. */
  stop(): void {
    this.#isStopped = true;
    this.#resume();
  }
}
