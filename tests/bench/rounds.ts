/** A way to do something that is measured beside others. */
export interface Variant<T> {
  readonly name: string;
  /** One short measurement. */
  measure(): Promise<T>;
}

/**
 * Measures all variants once a round, each round beginning with another one, so that what the machine does meanwhile
 * hits all of them alike. One round before counts nothing: the code is compiled in it.
 *
 * @returns samples by variant, one a round, in the order of the rounds
 */
export async function interleave<T>(
  variants: readonly Variant<T>[],
  rounds: number,
): Promise<Map<string, T[]>> {
  const samples = new Map(variants.map(({ name }) => [name, [] as T[]]));
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < variants.length; i++) {
      const { name, measure } = variants[(i + round + 1) % variants.length] as Variant<T>;
      const sample = await measure();
      if (round >= 0) samples.get(name)?.push(sample);
    }
  }
  return samples;
}
