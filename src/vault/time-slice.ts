import type { Clock } from "../clock.ts";

/** Longest work in one go and the pause behind it, ms: half a core at most, and a request waits 8 ms at most. */
const WORK_MS = 8;
const PAUSE_MS = 8;

/** Long work in short pieces, so that the server goes on answering in between. */
export class TimeSlice {
  readonly #clock: Clock;
  #endMs: number;
  #isStopped = false;
  #resume = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#endMs = clock.monotonicMs() + WORK_MS;
  }

  get isOver(): boolean {
    return this.#clock.monotonicMs() >= this.#endMs;
  }

  /** Lets others run, then begins anew. */
  async pause(): Promise<void> {
    if (this.#isStopped) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(PAUSE_MS, resolve);
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
