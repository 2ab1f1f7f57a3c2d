import { describe, expect, test } from "bun:test";
import { LineSplitter } from "../../src/agent/jsonl.ts";
import { randomFrom } from "../support/random.ts";

const MAX = 1000;

/** What comes out of a splitter for these chunks: lines as text, the length of each that was too long. */
function split(chunks: readonly (string | Uint8Array)[], maxBytes = MAX): (string | number)[] {
  const splitter = new LineSplitter(maxBytes);
  const out: (string | number)[] = [];
  for (const chunk of chunks) {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk) : chunk;
    splitter.push(
      bytes,
      (line) => out.push(new TextDecoder("utf-8", { fatal: true }).decode(line)),
      (length) => out.push(length),
    );
  }
  return out;
}

describe("LineSplitter", () => {
  test.each([
    { name: "one line", chunks: ["a\n"], expected: ["a"] },
    { name: "several in a chunk", chunks: ["a\nb\nc\n"], expected: ["a", "b", "c"] },
    { name: "one over several chunks", chunks: ["a", "b", "c\n"], expected: ["abc"] },
    { name: "the LF alone in a chunk", chunks: ["a", "\n", "b", "\n"], expected: ["a", "b"] },
    { name: "no LF: nothing yet", chunks: ["a", "b"], expected: [] },
    { name: "what follows the last LF waits", chunks: ["a\nb"], expected: ["a"] },
    { name: "an empty chunk", chunks: ["a", "", "b\n", ""], expected: ["ab"] },
    { name: "empty lines are skipped", chunks: ["\n\na\n\n\nb\n", "\n"], expected: ["a", "b"] },
    { name: "CR is data", chunks: ["a\r\nb\rc\n"], expected: ["a\r", "b\rc"] },
    {
      name: "U+2028 and U+2029 are data",
      chunks: ["a\u2028b\u2029c\n"],
      expected: ["a\u2028b\u2029c"],
    },
    {
      name: "U+0085, VT and FF are data",
      chunks: ["a\u0085b\vc\f\n"],
      expected: ["a\u0085b\vc\f"],
    },
    { name: "NUL is data", chunks: ["a\0b\n"], expected: ["a\0b"] },
    { name: "a byte order mark is data", chunks: ["a\ufeffb\n"], expected: ["a\ufeffb"] },
  ])("cuts at LF and nowhere else: $name", ({ chunks, expected }) => {
    expect(split(chunks)).toEqual([...expected]);
  });

  test("keeps a character whole that the pipe has cut, at every byte", () => {
    const text = '{"a":"é\u2028🔑字"}';
    const bytes = Buffer.from(`${text}\n`);
    for (let at = 0; at <= bytes.length; at++) {
      expect(split([bytes.subarray(0, at), bytes.subarray(at)])).toEqual([text]);
    }
    expect(split([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual([text]);
  });

  test.each([
    { name: "in one chunk", chunks: [`${"x".repeat(11)}\nnext\n`] },
    { name: "over two chunks", chunks: ["x".repeat(6), `${"x".repeat(5)}\nnext\n`] },
    { name: "past the limit before its end comes", chunks: ["x".repeat(10), "x", "\nnext\n"] },
    { name: "its LF in a chunk of its own", chunks: ["x".repeat(11), "\n", "next\n"] },
    { name: "the next line's beginning behind it", chunks: [`${"x".repeat(11)}\nne`, "xt\n"] },
  ])(
    "drops a line that is too long, tells its length, and leaves the next one whole: $name",
    ({ chunks }) => {
      expect(split(chunks, 10)).toEqual([11, "next"]);
    },
  );

  test("tells the whole length of a line that came in many chunks", () => {
    expect(split([...Array<string>(100).fill("x".repeat(100)), "\n", "ok\n"], 10)).toEqual([
      10_000,
      "ok",
    ]);
  });

  test("keeps a line of exactly the limit, however it comes", () => {
    const line = "x".repeat(10);
    expect(split([`${line}\n`], 10)).toEqual([line]);
    expect(split([line, "\n"], 10)).toEqual([line]);
    expect(split(["x", "x".repeat(9), "\n"], 10)).toEqual([line]);
  });

  test("takes lines again after several that were too long", () => {
    expect(split(["a\n", "x".repeat(20), "x\n", "b\n", `${"y".repeat(30)}\nc\n`], 10)).toEqual([
      "a",
      21,
      "b",
      30,
      "c",
    ]);
  });

  test("does not keep what is too long: a line without end costs no memory", () => {
    const splitter = new LineSplitter(1024);
    const chunk = new Uint8Array(1 << 20).fill(0x78);
    Bun.gc(true);
    const beforeBytes = process.memoryUsage.rss();
    for (let i = 0; i < 500; i++)
      splitter.push(
        chunk,
        () => {},
        () => {},
      );
    Bun.gc(true);
    expect(process.memoryUsage.rss() - beforeBytes).toBeLessThan(100 << 20);
    const lengths: number[] = [];
    splitter.push(
      Uint8Array.of(0x0a),
      () => {},
      (length) => lengths.push(length),
    );
    expect(lengths).toEqual([500 * 2 ** 20]);
  });

  test("does not hold on to the stream's buffer, which may be used again", () => {
    const splitter = new LineSplitter(MAX);
    const lines: string[] = [];
    const buffer = new Uint8Array(4);
    for (const part of ["abcd", "efg\n", "hi\nj", "klm\n"]) {
      buffer.set(Buffer.from(part));
      splitter.push(
        buffer,
        (line) => lines.push(Buffer.from(line).toString()),
        () => {},
      );
    }
    buffer.fill(0);
    expect(lines).toEqual(["abcdefg", "hi", "jklm"]);
  });

  test("gives the same lines however the bytes are cut", () => {
    const random = randomFrom(5);
    const pieces = [
      "a",
      '{"b":1}',
      "\r",
      "\u2028",
      "é",
      "🔑",
      "\n",
      "\n",
      "x".repeat(30),
      "y".repeat(70),
    ];
    for (let round = 0; round < 300; round++) {
      const text = Array.from(
        { length: Math.floor(random() * 40) },
        () => pieces[Math.floor(random() * pieces.length)],
      ).join("");
      const bytes = Buffer.from(text);
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length;) {
        const end = at + Math.floor(random() * 12);
        chunks.push(bytes.subarray(at, end));
        at = end;
      }
      const expected = text
        .split("\n")
        .slice(0, -1)
        .filter((line) => line !== "")
        .map((line) => (Buffer.byteLength(line) > 60 ? Buffer.byteLength(line) : line));
      expect(split(chunks, 60)).toEqual(expected);
    }
  });
});
