/** Waits until `condition` gives something; looks every 5 ms and gives up after `withinMs`. */
export async function until<T>(
  what: string,
  condition: () => T | undefined | null | false | Promise<T | undefined | null | false>,
  withinMs = 20_000,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (performance.now() > endMs) throw new Error(`Not within ${withinMs} ms: ${what}`);
    await Bun.sleep(5);
  }
}
