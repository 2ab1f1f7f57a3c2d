/** CSI, OSC, DCS, SOS, PM, APC and two-character sequences, by ESC or by their one-character (C1) forms: ECMA-48. */
const SEQUENCE =
  // oxlint-disable-next-line no-control-regex -- control characters are what it is about
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]/g;

/**
 * C0 but LF, DEL, C1; what turns the order of letters (Unicode TR36, 2.4), is not seen at all, or is half a character.
 * The joiners U+200C and U+200D stay: emoji and several scripts need them.
 */
const UNSAFE =
  // oxlint-disable-next-line no-control-regex -- as above
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e0fff}]|\p{Cs}/gu;

/**
 * Text of the agent's, of a tool or of a file name, as it may be put on a terminal: it can do nothing but be read. No
 * colour, title, clipboard, hyperlink or cursor movement; no order of letters but their own.
 *
 * Whole escape sequences go without a trace, so that coloured output stays readable; any other control character is
 * shown as its picture (U+2400) or as U+FFFD. Line ends become LF.
 *
 * @param tab - what stands for a tab
 */
export function neutralize(text: string, tab = "    "): string {
  return text
    .replace(SEQUENCE, "")
    .replace(/\r\n?|[\u2028\u2029\u0085\v\f]/g, "\n")
    .replace(UNSAFE, (character) => (character === "\t" ? tab : picture(character)));
}

/** For what has to stay on one line: names, titles. */
export function neutralizeLine(text: string): string {
  return neutralize(text).replaceAll("\n", "␊");
}

function picture(character: string): string {
  const code = character.charCodeAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code);
  return code === 0x7f ? "␡" : "\ufffd";
}
