/** A way to do something that is measured beside others. */
export interface Variant {
  readonly name: string;
  /** One short measurement. */
  measure(): Promise<number>;
}

/**
 * Measures all variants once a round, each round beginning with another one, so that what the machine does meanwhile
 * hits all of them alike. One round before counts nothing: the code is compiled in it.
 *
 * @returns samples by variant, one a round, in the order of the rounds
 */
export async function interleave(
  variants: readonly Variant[],
  rounds: number,
): Promise<Map<string, number[]>> {
  const samples = new Map(variants.map(({ name }) => [name, [] as number[]]));
  for (let round = -1; round < rounds; round++) {
    for (let i = 0; i < variants.length; i++) {
      const { name, measure } = variants[(i + round + 1) % variants.length] as Variant;
      const sample = await measure();
      if (round >= 0) samples.get(name)?.push(sample);
    }
  }
  return samples;
}
