import type { Component, TuiMouseEvent, TuiMouseEventResult } from "@earendil-works/pi-tui";
import type { Conversation, Item, ToolItem } from "./conversation.ts";
import { type ItemView, stepsLine } from "./item-view.ts";
import type { Palette } from "./palette.ts";

/** Widest column of text, cells. */
const MAX_WIDTH = 100;
/** So many finished tool calls in a row fold into one line. */
const FOLD = 10;

/** Of a conversation that has not begun. */
const FIRST_STEPS = [
  "",
  "  Nothing has been said here yet. Three things to try:",
  "",
  "  What is in my vault?",
  "  Write a note about what you can do here.",
  "  /help",
];

interface Cached {
  readonly key: string;
  readonly lines: readonly string[];
}

/** The conversation as lines. Only what changed is laid out anew. */
export class Transcript implements Component {
  readonly #conversation: Conversation;
  readonly #view: ItemView;
  readonly #palette: Palette;
  readonly #cache = new WeakMap<Item, Cached>();
  /** Opened, or shut, by a click. */
  readonly #toggled = new WeakSet<Item>();
  /** Item at each line of the last drawing. */
  #at: (Item | undefined)[] = [];
  isAllOpen = false;

  constructor(conversation: Conversation, view: ItemView, palette: Palette) {
    this.#conversation = conversation;
    this.#view = view;
    this.#palette = palette;
  }

  render(available: number): string[] {
    const width = Math.min(available, MAX_WIDTH);
    const { items, isCut, isLoaded } = this.#conversation;
    const out: string[] = [];
    this.#at = [];
    const add = (lines: readonly string[], item?: Item) => {
      for (const line of lines) {
        out.push(line);
        this.#at.push(item);
      }
    };
    if (isCut) add([this.#palette.dim("  Earlier messages are not shown here.")]);
    let before: Item | undefined;
    for (let i = 0; i < items.length; i++) {
      const item = items[i] as Item;
      if (before !== undefined && !(isQuiet(before) && isQuiet(item))) add([""]);
      const row = this.#isOpen(item) ? 0 : this.#finishedRow(i);
      if (row >= FOLD) {
        add([stepsLine(row, this.#palette)], item);
        i += row - 1;
      } else add(this.#linesOf(item, width), item);
      before = items[i];
    }
    if (items.length === 0 && isLoaded) add(FIRST_STEPS.map((line) => this.#palette.dim(line)));
    add([""]);
    return out;
  }

  handleMouse({ type, y, button }: TuiMouseEvent): TuiMouseEventResult | undefined {
    const item = this.#at[y];
    if (type !== "click" || button !== "left" || item === undefined || !isQuiet(item))
      return undefined;
    if (this.#toggled.has(item)) this.#toggled.delete(item);
    else this.#toggled.add(item);
    return { handled: true, render: true };
  }

  invalidate(): void {}

  #isOpen(item: Item): boolean {
    return this.isAllOpen !== this.#toggled.has(item);
  }

  #linesOf(item: Item, width: number): readonly string[] {
    const isOpen = this.#isOpen(item);
    // Text of a block only grows or is replaced by the whole; its length and its end tell one from the other.
    const body = "text" in item ? item.text : `${item.state}${item.diff ?? ""}${item.output}`;
    const key = `${width} ${isOpen} ${body.length} ${body.slice(-64)}`;
    const cached = this.#cache.get(item);
    if (cached?.key === key) return cached.lines;
    const lines = this.#view.lines(item, width, isOpen);
    this.#cache.set(item, { key, lines });
    return lines;
  }

  /** How many finished tool calls stand in a row from here on. */
  #finishedRow(start: number): number {
    const { items } = this.#conversation;
    let end = start;
    while (isDone(items[end])) end++;
    return end - start;
  }
}

function isDone(item: Item | undefined): item is ToolItem {
  return item?.kind === "tool" && item.state === "done";
}

/** What may stand close to its like. */
function isQuiet(item: Item): boolean {
  return item.kind === "tool" || item.kind === "thinking";
}
