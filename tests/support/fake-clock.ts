import type { Clock } from "../../src/clock.ts";

/** A clock that stands still until it is turned; due timers run in the order of their times. */
export class FakeClock implements Clock {
  #nowMs = 1000;
  #wallOffsetMs = Date.UTC(2027, 0, 1);
  #timers: { atMs: number; run: () => void }[] = [];

  monotonicMs(): number {
    return this.#nowMs;
  }

  wallMs(): number {
    return this.#wallOffsetMs + this.#nowMs;
  }

  after(delayMs: number, run: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, run };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Turns both clocks on, running what falls due at its own time. */
  advance(ms: number): void {
    const endMs = this.#nowMs + ms;
    for (;;) {
      const due = this.#timers
        .filter(({ atMs }) => atMs <= endMs)
        .toSorted((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.#nowMs = Math.max(this.#nowMs, due.atMs);
      due.run();
    }
    this.#nowMs = endMs;
  }

  /** Steps the wall clock alone, as an owner or NTP does. */
  stepWall(ms: number): void {
    this.#wallOffsetMs += ms;
  }
}
