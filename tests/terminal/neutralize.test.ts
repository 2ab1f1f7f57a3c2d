import { describe, expect, test } from "bun:test";
import { neutralize, neutralizeLine } from "../../src/terminal/neutralize.ts";

const ESC = "\x1b";

describe("neutralize", () => {
  test.each([
    { name: "plain text", text: "a\nb ü 漢 👩‍👩‍👧 مرحبا", shown: "a\nb ü 漢 👩‍👩‍👧 مرحبا" },
    { name: "colours", text: `${ESC}[1;31mred${ESC}[0m`, shown: "red" },
    { name: "clearing the screen", text: `a${ESC}[2J${ESC}[Hb`, shown: "ab" },
    { name: "the title", text: `${ESC}]0;owned\x07x`, shown: "x" },
    { name: "the clipboard", text: `${ESC}]52;c;cm0gLXJm${ESC}\\x`, shown: "x" },
    {
      name: "a hyperlink",
      text: `${ESC}]8;;https://evil.test\x07good.test${ESC}]8;;\x07`,
      shown: "good.test",
    },
    { name: "an iTerm2 image", text: `${ESC}]1337;File=inline=1:AAAA\x07x`, shown: "x" },
    { name: "a Kitty image", text: `${ESC}_Gf=24;AAAA${ESC}\\x`, shown: "x" },
    { name: "a sixel image", text: `${ESC}Pq#0~${ESC}\\x`, shown: "x" },
    { name: "the cursor marker of the drawing library", text: `${ESC}_pi:c\x07x`, shown: "x" },
    { name: "a reset", text: `${ESC}cx`, shown: "x" },
    { name: "another character set", text: `${ESC}(0x`, shown: "x" },
    { name: "one-character forms", text: "\x9b2J\x9d0;t\x07x\x90q\x9cy", shown: "xy" },
    { name: "a sequence without an end", text: `${ESC}]0;owned`, shown: "0;owned" },
    { name: "an escape character alone", text: `a${ESC}`, shown: "a␛" },
    { name: "one that hides another", text: `${ESC}${ESC}[31m[2Jx`, shown: "␛[2Jx" },
    { name: "going back", text: "rm -rf\b\b\b\b\b\bls", shown: "rm -rf␈␈␈␈␈␈ls" },
    { name: "overwriting", text: "rm -rf /\rls      ", shown: "rm -rf /\nls      " },
    { name: "the bell and NUL", text: "a\x07\x00\x7f", shown: "a␇␀␡" },
    { name: "turned letters", text: "a\u202egnp.exe\u2066", shown: "a\ufffdgnp.exe\ufffd" },
    { name: "unseen letters", text: "a\u200b\ufeff\u{e0041}b", shown: "a\ufffd\ufffd\ufffdb" },
    { name: "half a character", text: "a\ud800b", shown: "a\ufffdb" },
    { name: "line ends", text: "a\r\nb\rc\u2028d\u0085e\vf", shown: "a\nb\nc\nd\ne\nf" },
    { name: "tabs", text: "a\tb", shown: "a    b" },
  ])("$name", ({ text, shown }) => expect(neutralize(text)).toBe(shown));

  test("whatever comes, nothing is left that a terminal would act on", () => {
    const parts = [
      ESC,
      "[",
      "]",
      "0",
      ";",
      "m",
      "\x07",
      "\\",
      "\x9b",
      "\x9d",
      "P",
      "_",
      "a",
      "\b",
      "\r",
      "\x9c",
      "\u202e",
    ];
    let seed = 1;
    for (let round = 0; round < 20_000; round++) {
      let text = "";
      for (let n = 0; n < 12; n++) {
        seed = (seed * 1103515245 + 12345) & 0x7fffffff;
        text += parts[(seed >> 8) % parts.length];
      }
      // oxlint-disable-next-line no-control-regex
      expect(neutralize(text)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
    }
  });

  test("a megabyte of openings takes no longer than one of text", () => {
    const started = Bun.nanoseconds();
    for (const opening of [`${ESC}]`, `${ESC}[`, "\x9d", `${ESC}P1`])
      neutralize(opening.repeat(250_000));
    // Quadratic it would be minutes.
    expect(Bun.nanoseconds() - started).toBeLessThan(10e9);
  });

  test("neutralizeLine keeps a name on its line", () =>
    expect(neutralizeLine("a\nb\x1b[0m")).toBe("a␊b"));
});
