import type { FailureLimits, FailureStore, Lockout } from "./failure-store.ts";

/**
 * Failed attempts per client address over a sliding window, in this process's memory.
 *
 * An address is locked while it has `maxFailures` failures younger than `windowMs`; refused requests are not
 * failures, so a lock ends by itself. At most `maxAddresses` are remembered: of the unlocked ones the longest
 * untouched goes first, and a locked one only when all are locked, the one whose lock began first.
 *
 * The times lie in one slab, `maxFailures` doubles to an address (5 MiB at the defaults, grown by doubling); the two
 * maps hold only key and place, in the order of the last failure.
 */
export class MemoryFailureStore implements FailureStore {
  #limits: FailureLimits;
  #slab: Float64Array = new Float64Array(0);
  #free: number[] = [];
  #rows = 0;
  /** Address → row, longest untouched first. */
  #open = new Map<string, number>();
  #evictions = 0;
  /** Address → row, the lock that began first in front. */
  readonly #locked = new Map<string, number>();

  constructor(limits: FailureLimits) {
    checkLimits(limits);
    this.#limits = limits;
  }

  get lockedCount(): number {
    return this.#locked.size;
  }

  add(address: string, atMs: number): number {
    const wasLocked = this.#locked.get(address);
    if (wasLocked !== undefined) {
      this.#record(wasLocked, atMs);
      return this.#young(wasLocked, atMs);
    }
    let row = this.#open.get(address);
    if (row === undefined) row = this.#claim(atMs);
    else this.#open.delete(address);
    this.#record(row, atMs);
    const young = this.#young(row, atMs);
    (young >= this.#limits.maxFailures ? this.#locked : this.#open).set(address, row);
    return young;
  }

  remainingMs(address: string, nowMs: number): number {
    const row = this.#locked.get(address);
    return row === undefined ? 0 : Math.max(0, this.#oldest(row) + this.#limits.windowMs - nowMs);
  }

  endIfOver(address: string, nowMs: number): boolean {
    const row = this.#locked.get(address);
    if (row === undefined || this.#oldest(row) + this.#limits.windowMs > nowMs) return false;
    this.#locked.delete(address);
    if (this.#newest(row) + this.#limits.windowMs > nowMs) this.#open.set(address, row);
    else this.#release(row);
    return true;
  }

  expire(nowMs: number): string[] {
    const ended: string[] = [];
    for (const address of this.#locked.keys()) {
      if (this.endIfOver(address, nowMs)) ended.push(address);
    }
    this.#dropStale(nowMs);
    return ended;
  }

  nextEndMs(): number | undefined {
    let next: number | undefined;
    for (const row of this.#locked.values()) {
      const endMs = this.#oldest(row) + this.#limits.windowMs;
      if (next === undefined || endMs < next) next = endMs;
    }
    return next;
  }

  lockouts(nowMs: number): Lockout[] {
    const all: Lockout[] = [];
    for (const address of this.#locked.keys()) {
      const remainingMs = this.remainingMs(address, nowMs);
      if (remainingMs > 0) all.push({ address, remainingMs });
    }
    return all;
  }

  forget(address: string): boolean {
    const map = this.#locked.has(address) ? this.#locked : this.#open;
    const row = map.get(address);
    if (row === undefined) return false;
    map.delete(address);
    this.#release(row);
    return map === this.#locked;
  }

  resize(limits: FailureLimits): void {
    checkLimits(limits);
    if (Bun.deepEquals(this.#limits, limits)) return;
    const kept = [...this.#open, ...this.#locked].map(([address, row]) => ({
      address,
      timesMs: this.#times(row).toSorted(),
    }));
    this.#open.clear();
    this.#locked.clear();
    this.#slab = new Float64Array(0);
    this.#free = [];
    this.#rows = 0;
    this.#limits = limits;
    for (const { address, timesMs } of kept) {
      for (const atMs of timesMs) if (atMs > Number.NEGATIVE_INFINITY) this.add(address, atMs);
    }
  }

  /** A free row for a new address, making room if there is none. */
  #claim(nowMs: number): number {
    const reused = this.#free.pop();
    if (reused !== undefined) return reused;
    this.#dropStale(nowMs);
    const dropped = this.#free.pop();
    if (dropped !== undefined) return dropped;
    if (this.#rows < this.#limits.maxAddresses) {
      const row = this.#rows++;
      const length = (row + 1) * this.#limits.maxFailures;
      if (length > this.#slab.length) this.#grow(length);
      this.#clear(row);
      return row;
    }
    const victims = this.#open.size > 0 ? this.#open : this.#locked;
    const [address, row] = victims.entries().next().value as [string, number];
    victims.delete(address);
    this.#clear(row);
    // A map keeps the places of what was deleted until it is made anew, and walks over them to its first entry.
    if (++this.#evictions % EVICTIONS_PER_REBUILD === 0) this.#open = new Map(this.#open);
    return row;
  }

  #grow(atLeast: number): void {
    const { maxAddresses, maxFailures } = this.#limits;
    const length = Math.min(
      Math.max(atLeast, this.#slab.length * 2, 1024),
      maxAddresses * maxFailures,
    );
    const slab = new Float64Array(length);
    slab.set(this.#slab);
    this.#slab = slab;
  }

  /** Releases unlocked addresses whose last failure is too old; they stand in front. */
  #dropStale(nowMs: number): void {
    for (const [address, row] of this.#open) {
      if (this.#newest(row) + this.#limits.windowMs > nowMs) break;
      this.#open.delete(address);
      this.#release(row);
    }
  }

  #release(row: number): void {
    this.#clear(row);
    this.#free.push(row);
  }

  #clear(row: number): void {
    this.#times(row).fill(Number.NEGATIVE_INFINITY);
  }

  #times(row: number): Float64Array {
    const { maxFailures } = this.#limits;
    return this.#slab.subarray(row * maxFailures, (row + 1) * maxFailures);
  }

  /** Overwrites the oldest time: a row always holds the last `maxFailures`. */
  #record(row: number, atMs: number): void {
    const times = this.#times(row);
    let oldest = 0;
    for (let i = 1; i < times.length; i++) {
      if ((times[i] as number) < (times[oldest] as number)) oldest = i;
    }
    times[oldest] = atMs;
  }

  #young(row: number, nowMs: number): number {
    let young = 0;
    for (const atMs of this.#times(row)) if (atMs + this.#limits.windowMs > nowMs) young++;
    return young;
  }

  /** Asked for every request of a locked address, so without making anything. */
  #oldest(row: number): number {
    const start = row * this.#limits.maxFailures;
    let oldest = Number.POSITIVE_INFINITY;
    for (let i = start; i < start + this.#limits.maxFailures; i++) {
      const atMs = this.#slab[i] as number;
      if (atMs < oldest) oldest = atMs;
    }
    return oldest;
  }

  #newest(row: number): number {
    return Math.max(...this.#times(row));
  }
}

/** Evictions after which the map of unlocked addresses is made anew: a walk over 65,536 for every 4096. */
const EVICTIONS_PER_REBUILD = 4096;

function checkLimits({ maxFailures, windowMs, maxAddresses }: FailureLimits): void {
  for (const [name, value] of Object.entries({ maxFailures, maxAddresses })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(
        `Cannot count failures with ${name} ${value}: expected a positive integer`,
      );
    }
  }
  if (!(windowMs > 0)) throw new RangeError(`Cannot count failures over ${windowMs} ms`);
}
