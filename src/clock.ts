/** Time as the parts of Nest see it, handed in so that tests can turn it. */
export interface Clock {
  /** Milliseconds of a clock that never steps back; its zero means nothing. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch; may step, so only for dates and log lines. */
  wallMs(): number;
  /** Calls `run` once after `delayMs`; the returned function cancels it. Does not keep the process alive. */
  after(delayMs: number, run: () => void): () => void;
}
