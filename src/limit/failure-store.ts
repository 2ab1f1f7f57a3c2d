/** How failed authentications are counted; see `config.yaml`, `server.rateLimit`. */
export interface FailureLimits {
  /** Failures that lock an address, count · 1 to 1000 · 10. */
  readonly maxFailures: number;
  /** Age at which a failure stops counting, ms · 60 000. */
  readonly windowMs: number;
  /** Addresses remembered, count · 65 536. */
  readonly maxAddresses: number;
}

/** An address that is locked now. */
export interface Lockout {
  readonly address: string;
  /** Milliseconds until it ends by itself. */
  readonly remainingMs: number;
}

/**
 * Where the failures are kept. Every answer is local and immediate, because the decision that rests on it is made
 * in the same turn as the request; another machine's failures may be fed in through `add` whenever they arrive.
 * Times are milliseconds of one monotonic clock; a feed from elsewhere converts ages, not dates.
 */
export interface FailureStore {
  /** Locked addresses now; 0 lets a caller skip finding out the address at all. */
  readonly lockedCount: number;
  /** Counts one failure; returns how many are younger than the window, this one included. */
  add(address: string, atMs: number): number;
  /** Milliseconds until `address` is free again, 0 if it is. */
  remainingMs(address: string, nowMs: number): number;
  /** If the lock of `address` is over but was not yet told of, ends it and returns true. */
  endIfOver(address: string, nowMs: number): boolean;
  /** Ends every lock that is over and returns their addresses. Walks over all locks: not for every request. */
  expire(nowMs: number): string[];
  /** When the next lock ends, in the clock's ms; `undefined` with none. Walks over all locks. */
  nextEndMs(): number | undefined;
  /** The locks of now, oldest first. */
  lockouts(nowMs: number): Lockout[];
  /** Forgets an address's failures; true if it was locked. */
  forget(address: string): boolean;
  /** Takes new limits into account; failures already counted stay counted as far as they fit. */
  resize(limits: FailureLimits): void;
}
