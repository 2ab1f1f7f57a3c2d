/** Time before the first new try, at most, ms. */
export const FIRST_RETRY_MS = 500;
/** Time before any new try, at most, ms. */
export const MAX_RETRY_MS = 30_000;

/**
 * How long to wait before the next try: doubled with each failure up to 30 s, of which a random half is taken off, so
 * that the clients of a server that restarts don't come back all at once.
 *
 * @param failures - tries that failed since it last went well, from 1
 * @param random - a number from 0 to 1, as `Math.random` gives it
 */
export function retryDelayMs(failures: number, random: number): number {
  const ceiling = Math.min(MAX_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 16));
  return Math.round(ceiling * (1 - random / 2));
}
