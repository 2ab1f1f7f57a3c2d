/** What may be accepted; see `config.yaml`, `webhooks`. */
export interface QuotaLimits {
  /** Accepted webhooks in a window from one source, count. */
  readonly perSource: number;
  /** Accepted webhooks in a window in all, count. */
  readonly global: number;
}

/** One of the two quotas as it stands: the fields of the RateLimit header. */
export interface QuotaState {
  readonly name: "source" | "global";
  /** Accepted in a window at most, count. */
  readonly limit: number;
  /** Accepted yet, count. */
  readonly remaining: number;
  /** Until the next one is free that is not now, seconds, rounded up; 0 if none is taken. */
  readonly resetSeconds: number;
}

/** Length of both sliding windows, ms. */
export const QUOTA_WINDOW_MS = 60_000;

/**
 * Sliding windows over accepted webhooks: one for each source, one over all.
 *
 * Both rest on one list of what was accepted, at most `global` entries long. So a source that nothing was accepted from
 * leaves no trace, and memory does not grow with the names that are tried. Looking costs a walk over that list.
 * `SlidingWindow` would be one ring for each name, and a second bound to think about.
 *
 * Times are milliseconds of a monotonic clock.
 */
export class WebhookQuota {
  #limits: QuotaLimits;
  /** Oldest first. */
  #accepted: { readonly source: string; readonly atMs: number }[] = [];

  /** @throws {RangeError} if a limit is not a positive integer */
  constructor(limits: QuotaLimits) {
    checkLimits(limits);
    this.#limits = limits;
  }

  /** Entries kept, for the proof that they are few. */
  get size(): number {
    return this.#accepted.length;
  }

  setLimits(limits: QuotaLimits): void {
    checkLimits(limits);
    this.#limits = limits;
  }

  /** Milliseconds until one of this source would be accepted, 0 if now. Counts nothing. */
  waitMs(source: string, nowMs: number): number {
    const { perSource, global } = this.#limits;
    const times = this.#times(nowMs);
    return Math.max(
      waitOf(times(source), perSource, nowMs),
      waitOf(times(undefined), global, nowMs),
    );
  }

  /** Counts one as accepted; the caller has asked {@link waitMs} in the same turn. */
  count(source: string, nowMs: number): void {
    this.#dropOld(nowMs);
    this.#accepted.push({ source, atMs: nowMs });
  }

  /** Both quotas for one source. */
  states(source: string, nowMs: number): readonly [QuotaState, QuotaState] {
    const { perSource, global } = this.#limits;
    const times = this.#times(nowMs);
    return [
      stateOf("source", times(source), perSource, nowMs),
      stateOf("global", times(undefined), global, nowMs),
    ];
  }

  #times(nowMs: number): (source: string | undefined) => number[] {
    this.#dropOld(nowMs);
    return (source) =>
      this.#accepted
        .filter((one) => source === undefined || one.source === source)
        .map(({ atMs }) => atMs);
  }

  #dropOld(nowMs: number): void {
    const young = this.#accepted.findIndex(({ atMs }) => atMs + QUOTA_WINDOW_MS > nowMs);
    this.#accepted.splice(0, young === -1 ? this.#accepted.length : young);
  }
}

/** @param times - of hits in the window, oldest first */
function waitOf(times: readonly number[], limit: number, nowMs: number): number {
  const freed = times[times.length - limit];
  return freed === undefined ? 0 : freed + QUOTA_WINDOW_MS - nowMs;
}

function stateOf(
  name: QuotaState["name"],
  times: readonly number[],
  limit: number,
  nowMs: number,
): QuotaState {
  const [oldest] = times;
  return {
    name,
    limit,
    remaining: Math.max(0, limit - times.length),
    resetSeconds: oldest === undefined ? 0 : Math.ceil((oldest + QUOTA_WINDOW_MS - nowMs) / 1000),
  };
}

function checkLimits(limits: QuotaLimits): void {
  for (const [name, value] of Object.entries(limits)) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new RangeError(
        `Cannot limit webhooks with ${name} ${value}: expected a positive integer`,
      );
    }
  }
}
