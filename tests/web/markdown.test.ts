import { describe, expect, test } from "bun:test";
import { GrowingText, parseBlocks } from "../../src/web/markdown/blocks.ts";
import { decodeEntities } from "../../src/web/markdown/entities.ts";
import { resolveLink } from "../../src/web/markdown/links.ts";
import { randomFrom } from "../support/random.ts";

const TEXT = `# Head

A paragraph with **bold** and \`code\`
over two lines.

- one
- two
  - deep

  still two

1. first

> quote
> more

\`\`\`ts
const a = 1;

const b = 2;
\`\`\`

| a | b |
|---|---|
| 1 | 2 |

Setext
======

    indented

last`;

describe("GrowingText", () => {
  test("ends as the whole text parsed at once, however it came in pieces", () => {
    const next = randomFrom(1);
    for (let round = 0; round < 60; round++) {
      const growing = new GrowingText();
      let at = 0;
      while (at < TEXT.length) {
        const length = 1 + Math.floor(next() * 12);
        growing.append(TEXT.slice(at, at + length));
        at += length;
      }
      growing.finish();
      expect(growing.blocks.map(({ type }) => type)).toEqual(
        parseBlocks(TEXT).map(({ type }) => type),
      );
      expect(growing.text).toBe(TEXT);
    }
  });

  test("looks at closed blocks once: they keep their identity, and so their place on the page", () => {
    const growing = new GrowingText();
    growing.append("first\n\nsecond\n\nthi");
    const [first, second] = growing.blocks;
    growing.append("rd\n\nfourth");
    expect(growing.blocks[0]).toBe(first as never);
    expect(growing.blocks[1]).toBe(second as never);
    expect(growing.blocks.map(({ raw }) => raw.trim())).toEqual([
      "first",
      "second",
      "third",
      "fourth",
    ]);
  });

  test("costs what the open block costs: a megabyte of paragraphs is parsed once, not a thousand times", () => {
    const growing = new GrowingText();
    const paragraph = `${"word ".repeat(200)}\n\n`;
    const lengths: number[] = [];
    for (let i = 0; i < 1000; i++) {
      growing.append(paragraph);
      lengths.push(growing.blocks.length);
    }
    expect(lengths.at(-1)).toBe(1000);
  });

  test("what came is replaced where the end says otherwise", () => {
    const growing = new GrowingText();
    growing.append("missed the beg");
    growing.finish("# All of it\n\n[a]\n\n[a]: https://example.org");
    expect(growing.blocks.map(({ type }) => type)).toEqual(["heading", "paragraph", "def"]);
  });

  test.each([
    { name: "quotes without end", text: ">".repeat(20_000) },
    { name: "lists without end", text: "- ".repeat(5000) },
    { name: "brackets without end", text: "[".repeat(20_000) },
    { name: "stars without end", text: "*".repeat(20_000) },
    { name: "half a surrogate", text: "\ud800 **a**" },
  ])("takes $name", ({ text }) => {
    const growing = new GrowingText();
    growing.append(text);
    growing.finish();
    expect(growing.text).toBe(text);
  });
});

describe("resolveLink", () => {
  test.each([
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "java\nscript:alert(1)",
    "java\tscript:alert(1)",
    " \u0001javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "file:///etc/passwd",
    "blob:http://127.0.0.1/x",
    "filesystem:http://127.0.0.1/x",
    "//evil.test/x",
    "\\\\evil.test\\x",
    "/\\evil.test",
    "../outside.md",
    "a/../../outside.md",
    "%2e%2e/outside.md",
    "..%2foutside.md",
    "a%00b",
    "%ff",
    "#anchor",
    "",
    "http://[bad",
  ])("%j leads nowhere", (address) => {
    expect(resolveLink(address)).toEqual({ kind: "none" });
  });

  test.each([
    { address: "https://example.org/a b", to: { kind: "web", href: "https://example.org/a%20b" } },
    { address: "mailto:a@example.org", to: { kind: "web", href: "mailto:a@example.org" } },
    { address: "b.md", from: "dir/a.md", to: { kind: "vault", path: "dir/b.md" } },
    { address: "../b.md#part", from: "dir/a.md", to: { kind: "vault", path: "b.md" } },
    { address: "/b%20c.md", from: "dir/a.md", to: { kind: "vault", path: "b c.md" } },
    { address: "./x/./y.png?z", to: { kind: "vault", path: "x/y.png" } },
  ])("$address", ({ address, from, to }) => {
    expect(resolveLink(address, from)).toEqual(to as never);
  });
});

test("decodeEntities: references become the characters they mean, unknown ones stay", () => {
  expect(decodeEntities("a &amp; b &lt;i&gt; &#39;x&#x27; &nope; &#0; &#xD800; &amp;lt;")).toBe(
    "a & b <i> 'x' &nope; \ufffd \ufffd &lt;",
  );
});
