import type { Clock } from "../clock.ts";
import type { FailureLimits, FailureStore, Lockout } from "./failure-store.ts";

/** Told of every start and end of a lock, for the log. */
export interface LockOutObserver {
  started(address: string, failures: number, remainingMs: number, cause?: FailureCause): void;
  ended(address: string, reason: "window_passed" | "lifted" | "limits_changed"): void;
}

/** The request that a failure came with, for the log. */
export interface FailureCause {
  readonly route: string;
  readonly request: string;
}

/**
 * Locks a client address out after too many failed authentications, one count for HTTP, upgrades and first messages.
 *
 * Both the check and the count are synchronous: a caller that does them without an `await` between lets at most
 * `maxFailures` guesses through, however many arrive at once.
 */
export class LockOut {
  readonly #store: FailureStore;
  readonly #clock: Clock;
  readonly #observer: LockOutObserver;
  #maxFailures: number;
  #cancelTimer: (() => void) | undefined;
  #timerAtMs = Number.POSITIVE_INFINITY;

  constructor(store: FailureStore, limits: FailureLimits, clock: Clock, observer: LockOutObserver) {
    this.#store = store;
    this.#maxFailures = limits.maxFailures;
    this.#clock = clock;
    this.#observer = observer;
  }

  /** False while nobody is locked: then nobody's address need be known. */
  get isAnyoneLocked(): boolean {
    return this.#store.lockedCount > 0;
  }

  /** Milliseconds until `address` may try again, 0 if it may now. */
  remainingMs(address: string): number {
    return this.#store.remainingMs(address, this.#clock.monotonicMs());
  }

  /** Counts a failed authentication. */
  fail(address: string, cause?: FailureCause): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#store.endIfOver(address, nowMs)) this.#observer.ended(address, "window_passed");
    const wasLocked = this.#store.remainingMs(address, nowMs) > 0;
    const failures = this.#store.add(address, nowMs);
    if (wasLocked || failures < this.#maxFailures) return;
    const remainingMs = this.#store.remainingMs(address, nowMs);
    this.#observer.started(address, failures, remainingMs, cause);
    this.#expireBy(nowMs, nowMs + remainingMs);
  }

  list(): Lockout[] {
    return this.#store.lockouts(this.#clock.monotonicMs());
  }

  /** Ends a lock and forgets the failures; false if `address` was not locked. */
  lift(address: string): boolean {
    const was = this.#store.forget(address);
    if (was) this.#observer.ended(address, "lifted");
    return was;
  }

  /** Other limits from now on: a lock may start or end by it. */
  setLimits(limits: FailureLimits): void {
    const nowMs = this.#clock.monotonicMs();
    const before = new Set(this.#store.lockouts(nowMs).map(({ address }) => address));
    this.#store.resize(limits);
    this.#maxFailures = limits.maxFailures;
    this.#store.expire(nowMs);
    for (const { address, remainingMs } of this.#store.lockouts(nowMs)) {
      if (!before.delete(address)) {
        this.#observer.started(address, limits.maxFailures, remainingMs);
      }
    }
    for (const address of before) this.#observer.ended(address, "limits_changed");
    this.#reschedule(nowMs);
  }

  [Symbol.dispose](): void {
    this.#cancelTimer?.();
  }

  /**
   * Sees to it that ended locks are told of. A lock ends to the millisecond, since it is computed at each question;
   * only the telling is batched to one walk a second, so that 65,536 locks cost no more than one.
   */
  #expireBy(nowMs: number, endMs: number): void {
    if (endMs >= this.#timerAtMs) return;
    this.#cancelTimer?.();
    this.#timerAtMs = endMs;
    this.#cancelTimer = this.#clock.after(Math.max(1, endMs - nowMs), () => {
      const thenMs = this.#clock.monotonicMs();
      for (const address of this.#store.expire(thenMs)) {
        this.#observer.ended(address, "window_passed");
      }
      this.#reschedule(thenMs, TELLING_INTERVAL_MS);
    });
  }

  #reschedule(nowMs: number, leastMs = 0): void {
    this.#cancelTimer?.();
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const endMs = this.#store.nextEndMs();
    if (endMs !== undefined) this.#expireBy(nowMs, Math.max(endMs, nowMs + leastMs));
  }
}

const TELLING_INTERVAL_MS = 1000;
