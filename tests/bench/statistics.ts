/** Sample summaries. Medians, because a noisy neighbour makes a few samples very bad and none better than the truth. */

/** @throws {RangeError} without samples */
export function quantile(samples: readonly number[], q: number): number {
  if (samples.length === 0) throw new RangeError("Cannot take a quantile of no samples");
  const sorted = samples.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}

export function median(samples: readonly number[]): number {
  return quantile(samples, 0.5);
}

/** Element by element: both were measured in the same round, moments apart. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((value, round) => value / (to[round] as number));
}

/** `0.83 (0.79–0.88)`: the median and the middle half. */
export function spread(samples: readonly number[], digits = 2): string {
  const [low, mid, high] = [0.25, 0.5, 0.75].map((q) => quantile(samples, q).toFixed(digits));
  return `${mid} (${low}–${high})`;
}
