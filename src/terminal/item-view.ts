import {
  Markdown,
  type MarkdownTheme,
  truncateToWidth,
  wrapTextWithAnsi,
} from "@earendil-works/pi-tui";
import type { Item, ToolItem } from "./conversation.ts";
import type { Palette } from "./palette.ts";

/** Lines shown of an open tool's output or diff, and of one that still runs. */
const OPEN_LINES = 24;
const LIVE_LINES = 5;
const INDENT = "  ";

/** How an item looks: what belongs to one stands on one line where it can, and what is secondary is dim. */
export class ItemView {
  readonly #palette: Palette;
  readonly #markdown: MarkdownTheme;
  readonly #texts = new WeakMap<Item, { markdown: Markdown; text: string }>();

  constructor(palette: Palette, markdown: MarkdownTheme) {
    this.#palette = palette;
    this.#markdown = markdown;
  }

  lines(item: Item, width: number, isOpen: boolean): string[] {
    const { accent, dim, bad } = this.#palette;
    switch (item.kind) {
      case "user": {
        const images =
          item.images === 0 ? [] : [dim(item.images === 1 ? "1 image" : `${item.images} images`)];
        const text = wrapTextWithAnsi(item.text.trimEnd(), Math.max(1, width - 2));
        return [...text, ...images].map((line) => `${accent("▌")} ${line}`);
      }
      case "text":
        return this.#prose(item, width);
      case "thinking":
        return isOpen
          ? indent(wrapTextWithAnsi(item.text.trim(), Math.max(1, width - 2)).map(dim))
          : [fit(dim(`${INDENT}Thought: ${firstLine(item.text)}`), width)];
      case "tool":
        return this.#tool(item, width, isOpen);
      case "note":
        return indent(
          wrapTextWithAnsi(item.text, Math.max(1, width - 2)).map(item.isError ? bad : dim),
        );
    }
  }

  /** Markdown keeps its own lines as long as neither text nor width changes. */
  #prose(item: Item & { kind: "text" }, width: number): string[] {
    let entry = this.#texts.get(item);
    if (entry === undefined) {
      entry = { markdown: new Markdown(item.text, 2, 0, this.#markdown), text: item.text };
      this.#texts.set(item, entry);
    } else if (entry.text !== item.text) {
      entry.markdown.setText(item.text);
      entry.text = item.text;
    }
    return entry.markdown.render(width);
  }

  #tool(tool: ToolItem, width: number, isOpen: boolean): string[] {
    const { dim, good, bad, bold } = this.#palette;
    const sign = { running: dim("…"), done: good("✓"), failed: bad("✗") }[tool.state];
    const changes = tool.diff === undefined ? "" : dim(`  ${countChanges(tool.diff)}`);
    const head = fit(`${INDENT}${sign} ${bold(tool.name)} ${tool.target}${changes}`, width);
    if (tool.state === "running") return [head, ...this.#body(tool.output, LIVE_LINES, width)];
    if (!isOpen) {
      const why = tool.state === "failed" ? lastLine(tool.output) : "";
      return why === "" ? [head] : [head, fit(`${INDENT}  ${bad(why)}`, width)];
    }
    return [head, ...this.#body(tool.diff ?? tool.output, OPEN_LINES, width)];
  }

  #body(text: string, max: number, width: number): string[] {
    const { dim, good, bad } = this.#palette;
    const all = text.trimEnd().split("\n");
    if (all.length === 1 && all[0] === "") return [];
    const shown = all.slice(-max);
    const above = all.length - shown.length;
    const colour = (line: string) =>
      line.startsWith("+") ? good(line) : line.startsWith("-") ? bad(line) : dim(line);
    return [
      ...(above > 0
        ? [
            dim(
              `${INDENT}  … ${above === 1 ? "1 line" : `${above.toLocaleString("en")} lines`} above`,
            ),
          ]
        : []),
      ...shown.map((line) => fit(`${INDENT}  ${colour(line)}`, width)),
    ];
  }
}

/** Ten or more finished tool calls in a row, as one line. */
export function stepsLine(count: number, palette: Palette): string {
  return palette.dim(`${INDENT}✓ ${count} steps`);
}

function fit(line: string, width: number): string {
  return truncateToWidth(line, width, "…");
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => INDENT + line);
}

function firstLine(text: string): string {
  return text.trim().split("\n", 1)[0] ?? "";
}

/** Where a tool says what went wrong. */
function lastLine(text: string): string {
  const trimmed = text.trim();
  return trimmed.slice(trimmed.lastIndexOf("\n") + 1);
}

function countChanges(diff: string): string {
  const lines = diff.split("\n");
  const added = lines.filter((line) => line.startsWith("+")).length;
  const removed = lines.filter((line) => line.startsWith("-")).length;
  return `+${added} −${removed}`;
}
