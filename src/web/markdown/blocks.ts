import { Lexer, type Token } from "marked";

/** One paragraph, list, table, code block…: a top-level piece of a text. */
export type Block = Token;

/** A text longer than this is shown as it is, UTF-16 code units. */
const MAX_LENGTH = 400_000;

/** Parses a whole text. Never throws: what the lexer can't take is shown as it is. */
export function parseBlocks(source: string): Block[] {
  const text = source.replaceAll(/\r\n?/g, "\n");
  if (text.length > MAX_LENGTH) return [plain(text)];
  try {
    return new Lexer({ gfm: true }).lex(text).filter(({ type }) => type !== "space");
  } catch {
    // Nested deeper than the stack goes.
    return [plain(text)];
  }
}

function plain(text: string): Block {
  return { type: "code", raw: text, text, lang: "" };
}

/**
 * A text that grows, parsed as it does: blocks that are closed are never looked at again, so each piece costs what the
 * last block costs, however long the text is.
 *
 * A block is closed when another has begun behind it. References (`[name]: address`) reach across blocks; they are
 * looked up when the text is complete.
 */
export class GrowingText {
  #text = "";
  /** Where the open block begins. */
  #openAt = 0;
  #closed: readonly Block[] = [];
  #open: readonly Block[] = [];

  get text(): string {
    return this.#text;
  }

  /** Length of what is parsed anew with each piece, UTF-16 code units. */
  get openLength(): number {
    return this.#text.length - this.#openAt;
  }

  /** Blocks so far; closed ones keep their identity. */
  get blocks(): readonly Block[] {
    return [...this.#closed, ...this.#open];
  }

  append(piece: string): void {
    this.#text += piece.replaceAll("\r", "");
    const tail = this.#text.slice(this.#openAt);
    const tokens = lexTail(tail);
    // The last block may still grow, and the space behind one says that it is over.
    const last = tokens.findLastIndex(({ type }) => type !== "space");
    const closed = last > 0 ? tokens.slice(0, last) : [];
    const length = closed.reduce((sum, { raw }) => sum + raw.length, 0);
    if (closed.length > 0 && tail.startsWith(closed.map(({ raw }) => raw).join(""))) {
      this.#closed = [...this.#closed, ...closed.filter(({ type }) => type !== "space")];
      this.#openAt += length;
      this.#open = last === -1 ? [] : [tokens[last] as Block];
    } else {
      this.#open = tokens.filter(({ type }) => type !== "space");
    }
  }

  /** The text is complete: `text`, if what came was not all of it. */
  finish(text: string = this.#text): void {
    const isSame = text.replaceAll("\r", "") === this.#text;
    if (isSame && !/^ {0,3}\[[^\]\n]+\]:/m.test(text)) return;
    this.#text = text;
    this.#openAt = text.length;
    this.#closed = parseBlocks(text);
    this.#open = [];
  }
}

function lexTail(tail: string): Block[] {
  if (tail.length > MAX_LENGTH) return [plain(tail)];
  try {
    return new Lexer({ gfm: true }).lex(tail);
  } catch {
    return [plain(tail)];
  }
}
