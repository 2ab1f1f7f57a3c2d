/** Ends the program with a message for people on stderr, one line a problem, and no stack. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** Wrong use, an unusable config, or something in the way of starting: nothing was started. */
export const EXIT_USAGE = 2;
