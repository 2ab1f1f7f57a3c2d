import { describe, expect, test } from "bun:test";
import { partFrontMatter } from "../../src/web/vault/front-matter.ts";
import { changedItems, changedLines, sideBySide } from "../../src/web/vault/line-changes.ts";

describe("two versions of a text", () => {
  test("stand beside each other line by line, no line of either left out", () => {
    const left = "a\nb\nc\nd\n";
    const right = "a\nB\nB2\nc\ne\n";
    const rows = sideBySide(left, right);
    const lines = (side: "left" | "right") =>
      rows.flatMap((row) => row[side]?.text ?? []).join("\n") + "\n";
    expect(lines("left")).toBe(left);
    expect(lines("right")).toBe(right);
    expect(rows.map(({ kind }) => kind)).toEqual(["same", "changed", "changed", "same", "changed"]);
    expect(rows.map((row) => row.right?.line)).toEqual([1, 2, 3, 4, 5]);
  });

  test("a missing last line break is no lost line", () => {
    expect(sideBySide("", "x").map((row) => row.right?.text)).toEqual(["x"]);
    expect(sideBySide("x", "").map((row) => row.left?.text)).toEqual(["x"]);
    expect(sideBySide("", "")).toEqual([]);
  });

  test("what differs too much is told as a whole, soon", () => {
    const one = Array.from({ length: 20_000 }, (_, i) => `one ${i}`).join("\n");
    const other = Array.from({ length: 20_000 }, (_, i) => `other ${i}`).join("\n");
    expect(sideBySide(one, other)).toHaveLength(20_000);
  });
});

test("changedLines: numbers of new lines, and where something is gone", () => {
  expect(changedLines("a\nb\nc\n", "a\nx\ny\nc\n")).toEqual({ added: [2, 3], cut: [] });
  expect(changedLines("a\nb\nc\n", "a\nc\n")).toEqual({ added: [], cut: [2] });
});

test("changedItems: what is new among blocks, though all behind it has moved", () => {
  expect([...changedItems(["a", "b", "c"], ["new", "a", "b2", "c"])]).toEqual([0, 2]);
});

describe("front matter", () => {
  test("is taken off, lists and all", () => {
    expect(partFrontMatter("---\ntags:\n  - a\n  - b\nname: x: y\n---\n# Text\n")).toEqual({
      properties: [
        ["tags", "a, b"],
        ["name", "x: y"],
      ],
      text: "# Text\n",
    });
  });

  test.each(["no front matter\n---\nx\n---\n", "---\nnever closed\n", "", "----\na: b\n----\n"])(
    "%j has none",
    (text) => {
      expect(partFrontMatter(text)).toEqual({ properties: [], text });
    },
  );
});
