import type { Sample } from "./exposition.ts";

/** Counts of a closed list of words, each there from the start: a rate needs the zero before the first. */
export class Tally<Word extends string> {
  readonly #label: string;
  readonly #counts: Map<Word, number>;

  constructor(label: string, words: readonly Word[]) {
    this.#label = label;
    this.#counts = new Map(words.map((word) => [word, 0]));
  }

  count(word: Word): void {
    this.#counts.set(word, (this.#counts.get(word) ?? 0) + 1);
  }

  get(word: Word): number {
    return this.#counts.get(word) ?? 0;
  }

  samples(): Sample[] {
    return [...this.#counts].map(([word, value]) => ({ labels: { [this.#label]: word }, value }));
  }
}
