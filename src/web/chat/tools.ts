import type { IconNode } from "lucide";
import { FilePen, FilePlus, FileText, FolderOpen, Search, SquareTerminal, Wrench } from "lucide";
import { type Fields, fieldsOf, listOf, textOf } from "./fields.ts";

/** How a tool's call is put into words. */
export interface ToolWords {
  readonly icon: IconNode;
  readonly verb: string;
  /** What it is done to: a command, a path. */
  readonly target: string;
  /** A file of the vault, perhaps. */
  readonly path?: string;
}

const KNOWN: Readonly<Record<string, readonly [IconNode, string]>> = {
  bash: [SquareTerminal, "Run"],
  read: [FileText, "Read"],
  write: [FilePlus, "Write"],
  edit: [FilePen, "Edit"],
  ls: [FolderOpen, "List"],
  grep: [Search, "Search"],
  find: [Search, "Find"],
};

/** Longest target shown in a line, UTF-16 code units. */
const MAX_TARGET = 300;

export function toolWords(name: string, args: Fields): ToolWords {
  const [icon, verb] = (Object.hasOwn(KNOWN, name) ? KNOWN[name] : undefined) ?? [Wrench, name];
  const path = textOf(args["path"]);
  const target =
    textOf(args["command"]).split("\n")[0] || textOf(args["pattern"]) || path || plain(args);
  return {
    icon,
    verb,
    target: target.slice(0, MAX_TARGET),
    ...(path !== "" && { path }),
  };
}

function plain(args: Fields): string {
  return Object.keys(args).length === 0 ? "" : JSON.stringify(args);
}

export interface DiffLine {
  readonly kind: "same" | "added" | "removed" | "place";
  readonly text: string;
}

/** The lines of a unified diff, its head left out. */
export function patchLines(patch: string): DiffLine[] {
  return patch
    .trimEnd()
    .split("\n")
    .filter((line) => !/^(?:---|\+\+\+|Index:|={3}|diff |\\)/.test(line))
    .map((line): DiffLine => {
      if (line.startsWith("@@")) return { kind: "place", text: line };
      if (line.startsWith("+")) return { kind: "added", text: line.slice(1) };
      if (line.startsWith("-")) return { kind: "removed", text: line.slice(1) };
      return { kind: "same", text: line.slice(1) };
    });
}

/** What an edit says it will change, while its result is not there. */
export function editLines(args: Fields): DiffLine[] {
  return listOf(args["edits"]).flatMap((edit) => {
    const { oldText, newText } = fieldsOf(edit);
    return linesOf("removed", textOf(oldText)).concat(linesOf("added", textOf(newText)));
  });
}

export function addedLines(content: string): DiffLine[] {
  return linesOf("added", content);
}

function linesOf(kind: DiffLine["kind"], text: string): DiffLine[] {
  return text === ""
    ? []
    : text
        .replace(/\n$/, "")
        .split("\n")
        .map((line) => ({ kind, text: line }));
}
