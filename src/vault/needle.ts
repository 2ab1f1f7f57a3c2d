import { VaultError } from "./error.ts";

/** Longest text to search for, UTF-16 code units. */
const MAX_QUERY_LENGTH = 256;
/** Longest text of a match, UTF-16 code units, and how much of it stands before the match. */
const MAX_TEXT_LENGTH = 300;
const LEAD_LENGTH = 100;

/**
 * What is searched for: a literal text, in any case, never an expression of the caller's. Letters with accents are found
 * in both of Unicode's forms, composed (as they are typed) and decomposed (as macOS stores names).
 */
export class Needle {
  /** The spellings of the text, to be found literally. */
  readonly spellings: readonly string[];
  readonly #pattern: RegExp;

  /** @throws {VaultError} `bad_query` */
  constructor(query: string) {
    if (query === "" || query.length > MAX_QUERY_LENGTH) throw badQuery();
    // oxlint-disable-next-line no-control-regex -- a line holds neither, a name no NUL
    if (/[\n\r\0]/.test(query) || !query.isWellFormed()) throw badQuery();
    this.spellings = [...new Set([query, query.normalize("NFC"), query.normalize("NFD")])];
    // Alternatives of literals: nothing in it can repeat, so it takes time in proportion to the text.
    const escaped = this.spellings.map((spelling) => RegExp.escape(spelling));
    this.#pattern = new RegExp(escaped.join("|"), "giu");
  }

  isIn(text: string): boolean {
    return this.find(text, 0) !== undefined;
  }

  /** The first place at or behind `from`. */
  find(text: string, from: number): { readonly start: number; readonly end: number } | undefined {
    this.#pattern.lastIndex = from;
    const match = this.#pattern.exec(text);
    if (match === null) return undefined;
    return { start: match.index, end: match.index + match[0].length };
  }

  /** The line around a place in it, cut to 300 characters with an ellipsis where it goes on. */
  static excerpt(line: string, start: number): string {
    if (line.length <= MAX_TEXT_LENGTH) return line;
    let from = Math.max(0, Math.min(start - LEAD_LENGTH, line.length - MAX_TEXT_LENGTH));
    let to = Math.min(line.length, from + MAX_TEXT_LENGTH);
    // Not through the middle of a character.
    if (isLowSurrogate(line, from)) from++;
    if (isLowSurrogate(line, to)) to--;
    return `${from > 0 ? "…" : ""}${line.slice(from, to)}${to < line.length ? "…" : ""}`;
  }
}

function isLowSurrogate(text: string, at: number): boolean {
  return (text.charCodeAt(at) & 0xfc00) === 0xdc00;
}

function badQuery(): VaultError {
  return new VaultError(
    "bad_query",
    `Cannot search: expected a text of 1 to ${MAX_QUERY_LENGTH} characters on one line`,
  );
}
