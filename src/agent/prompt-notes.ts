import { readFileSync } from "node:fs";
import { lineAt } from "./checked-lines.ts";
import type { Prompt, PromptContent, Sizes } from "./prompt.ts";

/** What is accepted and not over. */
export const UNFINISHED: ReadonlySet<Prompt["status"]> = new Set(["accepted", "passed", "begun"]);

/** A line of `prompts.log`. */
export type Note =
  | { readonly t: "head"; readonly mark: string; readonly next: number; readonly busy: boolean }
  | AcceptedNote
  | { readonly t: "passed"; readonly id: string; readonly sizes: Sizes }
  | { readonly t: "begun"; readonly id: string }
  | { readonly t: "answered"; readonly id: string }
  | { readonly t: "over"; readonly id: string; readonly status: "done" | "interrupted" | "dropped" }
  | { readonly t: "refused"; readonly id: string }
  | { readonly t: "retried"; readonly id: string }
  | { readonly t: "run"; readonly busy: boolean };

interface AcceptedNote {
  readonly t: "accepted";
  readonly id: string;
  readonly seq: number;
  readonly key?: string;
  readonly digest: string;
  /** Hash of its text, to be found again in pi's own file. */
  readonly text: string;
  readonly content?: PromptContent;
  /** In a file written anew: what was known of it then. */
  readonly status?: Prompt["status"];
  readonly attempts?: number;
  readonly answered?: boolean;
  readonly sizes?: Sizes;
}

/** What is written down of a prompt when it is taken on. */
export function acceptedNote(
  prompt: Pick<Prompt, "id" | "seq" | "key" | "digest" | "textHash" | "content">,
): AcceptedNote {
  const { id, seq, key, digest, textHash, content } = prompt;
  return {
    t: "accepted",
    id,
    seq,
    ...(key !== undefined && { key }),
    digest,
    text: textHash,
    ...(content !== undefined && { content }),
  };
}

/** True if a Nest that used this file left something to do: a prompt to run, or a run that was cut off. */
export function isUnsettled(path: string): boolean {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch {
    return false;
  }
  const open = new Set<string>();
  let isBusy = false;
  for (let line = lineAt(bytes, 0); line !== undefined; line = lineAt(bytes, line.end)) {
    const note = JSON.parse(line.text) as Note;
    if (note.t === "head" || note.t === "run") isBusy = note.busy;
    else if (note.t !== "accepted") {
      if (note.t === "over" || note.t === "refused") open.delete(note.id);
    } else if (note.status === undefined || UNFINISHED.has(note.status)) open.add(note.id);
  }
  return isBusy || open.size > 0;
}
