import { signal } from "@preact/signals";
import { expect, test } from "bun:test";
import type { Item, ToolItem } from "../../src/web/chat/items.ts";
import { rowsOf } from "../../src/web/chat/rows.ts";

function tool(id: number): ToolItem {
  return {
    kind: "tool",
    id,
    timeMs: 0,
    callId: `c${id}`,
    name: "bash",
    args: signal({}),
    output: signal(""),
    patch: signal(undefined),
    state: signal("done"),
    startedMs: signal(0),
    endedMs: signal(0),
  };
}

const tools = (from: number, count: number): Item[] =>
  Array.from({ length: count }, (_, i) => tool(from + i));
const notice: Item = {
  kind: "notice",
  id: 1000,
  timeMs: 0,
  tone: "info",
  text: "",
  canRetry: false,
};

test("rowsOf: ten tools in a row are one row, nine are nine, and what is said between ends the run", () => {
  expect(rowsOf(tools(1, 9))).toHaveLength(9);
  expect(rowsOf(tools(1, 10))).toHaveLength(1);
  expect(rowsOf([...tools(1, 9), notice, ...tools(20, 12)]).map(({ key }) => key)).toEqual([
    ...Array.from({ length: 9 }, (_, i) => `i${i + 1}`),
    "i1000",
    "g20",
  ]);
});

test("rowsOf: a run keeps its key while it grows, so what is open stays open", () => {
  expect(rowsOf(tools(5, 10))[0]?.key).toBe(rowsOf(tools(5, 11))[0]?.key as string);
});
