/**
 * What a terminal obeys, a reader can't see or a model reads though nobody else does: control characters but newline
 * and tab, line separators, direction marks, zero-width characters, variation of tags (U+E0000 block).
 */
const UNSEEN =
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;

/**
 * Text from outside in which everything can be seen: what is not visible is written as `\u{…}`. CRLF and CR become
 * newlines, halves of surrogate pairs U+FFFD.
 */
export function plainText(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .toWellFormed()
    .replace(UNSEEN, (character) => `\\u{${(character.codePointAt(0) as number).toString(16)}}`);
}

/** At most `maxLength` UTF-16 code units, with a word where something was cut. */
export function shortened(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return `${text.slice(0, maxLength).toWellFormed()}… (${text.length - maxLength} more characters cut)`;
}
