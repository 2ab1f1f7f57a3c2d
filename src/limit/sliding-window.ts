/**
 * At most `max` hits younger than `windowMs`, for one subject.
 *
 * Keeps the times of the last `max` hits in a ring, so it costs `8 × max` bytes whatever the traffic.
 * A refused hit is not remembered: who is refused is let in again as soon as old hits have aged.
 */
export class SlidingWindow {
  readonly #timesMs: Float64Array;
  readonly #windowMs: number;
  #next = 0;

  /** @throws {RangeError} if a limit is not positive */
  constructor(max: number, windowMs: number) {
    if (!Number.isSafeInteger(max) || max < 1 || !(windowMs > 0)) {
      throw new RangeError(`Cannot make a sliding window of ${max} per ${windowMs} ms`);
    }
    this.#timesMs = new Float64Array(max).fill(Number.NEGATIVE_INFINITY);
    this.#windowMs = windowMs;
  }

  /** Counts a hit at `nowMs` and returns 0, or counts nothing and returns the milliseconds to wait. */
  hit(nowMs: number): number {
    const waitMs = (this.#timesMs[this.#next] ?? 0) + this.#windowMs - nowMs;
    if (waitMs > 0) return waitMs;
    this.#timesMs[this.#next] = nowMs;
    this.#next = (this.#next + 1) % this.#timesMs.length;
    return 0;
  }
}
