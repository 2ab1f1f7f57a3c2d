import { VaultError } from "./error.ts";

/** A few at a time, a few that wait in turn, and no more. */
export class Slots {
  readonly #most: number;
  readonly #mostWaiting: number;
  #taken = 0;
  readonly #waiting = new Set<() => void>();

  constructor(most: number, mostWaiting: number) {
    this.#most = most;
    this.#mostWaiting = mostWaiting;
  }

  /**
   * @returns to be disposed of when done
   * @throws {VaultError} `overloaded`; the signal's reason if it comes first
   */
  async take(signal?: AbortSignal): Promise<Disposable> {
    if (this.#taken < this.#most) this.#taken++;
    else await this.#wait(signal);
    let isGivenBack = false;
    return {
      [Symbol.dispose]: () => {
        if (isGivenBack) return;
        isGivenBack = true;
        const next = this.#waiting.values().next().value;
        if (next === undefined) this.#taken--;
        else next();
      },
    };
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    if (this.#waiting.size >= this.#mostWaiting)
      throw new VaultError("overloaded", "Too many searches at once: try again");
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const enter = () => {
      this.#waiting.delete(enter);
      signal?.removeEventListener("abort", leave);
      resolve();
    };
    const leave = () => {
      this.#waiting.delete(enter);
      reject(signal?.reason);
    };
    this.#waiting.add(enter);
    signal?.addEventListener("abort", leave, { once: true });
    return promise;
  }
}
