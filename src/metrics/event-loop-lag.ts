import type { Clock } from "../clock.ts";
import type { Sample } from "./exposition.ts";

/** Time between two looks, ms: what keeps the loop from one is seen, what falls between two may not be. */
const INTERVAL_MS = 250;
/** Upper bounds, seconds. */
const BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/**
 * How late a timer fires: the time for which the event loop could not take up anything, as a histogram.
 *
 * `perf_hooks.monitorEventLoopDelay` counts its own interval in and wakes the process for every sample of it.
 */
export class EventLoopLag implements Disposable {
  readonly #clock: Clock;
  readonly #counts: number[] = [...BUCKETS, Number.POSITIVE_INFINITY].map(() => 0);
  #sumSeconds = 0;
  #cancel = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#wait();
  }

  samples(): Sample[] {
    let count = 0;
    const buckets = [...BUCKETS, Number.POSITIVE_INFINITY].map((bound, i) => {
      count += this.#counts[i] as number;
      return {
        suffix: "_bucket",
        labels: { le: bound === Number.POSITIVE_INFINITY ? "+Inf" : String(bound) },
        value: count,
      };
    });
    return [
      ...buckets,
      { suffix: "_sum", value: this.#sumSeconds },
      { suffix: "_count", value: count },
    ];
  }

  [Symbol.dispose](): void {
    this.#cancel();
  }

  #wait(): void {
    const dueMs = this.#clock.monotonicMs() + INTERVAL_MS;
    this.#cancel = this.#clock.after(INTERVAL_MS, () => {
      this.#record(Math.max(0, this.#clock.monotonicMs() - dueMs) / 1000);
      this.#wait();
    });
  }

  #record(seconds: number): void {
    const found = BUCKETS.findIndex((bound) => seconds <= bound);
    const i = found === -1 ? BUCKETS.length : found;
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.#sumSeconds += seconds;
  }
}
