import { diffArrays, diffLines } from "diff";

/** Longest way from one text to the other that is looked for; beyond it all counts as changed. */
const LIMITS = { maxEditLength: 4000, timeout: 400 };

export interface Side {
  /** Line number from 1. */
  readonly line: number;
  readonly text: string;
}

/** A row of two columns: the same line on both sides, or a changed pair, or one side alone. */
export interface Row {
  readonly kind: "same" | "changed";
  readonly left?: Side;
  readonly right?: Side;
}

/** Two texts line by line beside each other. */
export function sideBySide(left: string, right: string): Row[] {
  const rows: Row[] = [];
  let leftLine = 1;
  let rightLine = 1;
  for (const { removed, added, value } of pairs(left, right)) {
    if (value !== undefined) {
      for (const text of linesOf(value)) {
        rows.push({
          kind: "same",
          left: { line: leftLine++, text },
          right: { line: rightLine++, text },
        });
      }
      continue;
    }
    const before = linesOf(removed);
    const after = linesOf(added);
    for (let i = 0; i < Math.max(before.length, after.length); i++) {
      const one = before[i];
      const other = after[i];
      rows.push({
        kind: "changed",
        ...(one !== undefined && { left: { line: leftLine++, text: one } }),
        ...(other !== undefined && { right: { line: rightLine++, text: other } }),
      });
    }
  }
  return rows;
}

/** Lines of `after` that are new, and lines before which something is gone; from 1. */
export function changedLines(before: string, after: string): { added: number[]; cut: number[] } {
  const added: number[] = [];
  const cut: number[] = [];
  let line = 1;
  for (const pair of pairs(before, after)) {
    const count = linesOf(pair.value ?? pair.added).length;
    if (pair.value === undefined) {
      if (count === 0) cut.push(line);
      for (let i = 0; i < count; i++) added.push(line + i);
    }
    line += count;
  }
  return { added, cut };
}

/** Indexes of `after` that `before` does not have, in order. */
export function changedItems(before: readonly string[], after: readonly string[]): Set<number> {
  const changed = new Set<number>();
  const parts = diffArrays([...before], [...after], LIMITS);
  if (parts === undefined) return new Set(after.keys());
  let at = 0;
  for (const { added, removed, value } of parts) {
    if (removed) continue;
    if (added) for (let i = 0; i < value.length; i++) changed.add(at + i);
    at += value.length;
  }
  return changed;
}

type Pair =
  | { readonly value: string; readonly removed?: undefined; readonly added?: undefined }
  | { readonly value?: undefined; readonly removed: string; readonly added: string };

function pairs(left: string, right: string): Pair[] {
  const parts = diffLines(left, right, LIMITS) ?? [
    { removed: true, added: false, value: left },
    { removed: false, added: true, value: right },
  ];
  const found: Pair[] = [];
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i];
    if (part === undefined) continue;
    if (!part.added && !part.removed) {
      found.push({ value: part.value });
      continue;
    }
    const next = parts[i + 1];
    if (part.removed && next?.added) {
      found.push({ removed: part.value, added: next.value });
      i++;
    } else
      found.push({ removed: part.removed ? part.value : "", added: part.added ? part.value : "" });
  }
  return found;
}

function linesOf(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}
