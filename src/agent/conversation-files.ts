import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Sizes } from "./prompt.ts";
import { textOf } from "./prompt.ts";

/** Files whose sizes are noted: the newest by name, which begins with the time. One conversation is one file. */
const MAX_FILES = 16;
/** Longest tail that is read to find a prompt, bytes. */
const MAX_TAIL_BYTES = 64 * 1024 * 1024;
/** Where conversations are: pi's own folder and the one of the scripted model. */
const FOLDERS = ["", "scripted"];

/** How long pi's conversation files are now. What is not there is 0 long. */
export function conversationSizes(dir: string): Sizes {
  const sizes: Record<string, number> = {};
  for (const path of conversationFiles(dir)) {
    try {
      sizes[path] = statSync(join(dir, path)).size;
    } catch {
      // Gone since.
    }
  }
  return sizes;
}

/** A message of the user's that pi has written down. */
export interface UserMessage {
  readonly path: string;
  /** Where its line begins, bytes. */
  readonly at: number;
  readonly text: string;
}

/**
 * The user's messages that pi wrote behind `sizes`. pi writes a prompt down before the model is asked, except in a new
 * conversation: there everything is written when the first answer has ended, still before its tools run. So a prompt
 * that is not here has not run a tool.
 */
export function userMessagesBehind(dir: string, sizes: Sizes): UserMessage[] {
  return conversationFiles(dir).flatMap((path) => userMessagesIn(dir, path, sizes[path] ?? 0));
}

function conversationFiles(dir: string): string[] {
  return FOLDERS.flatMap((folder) => {
    let names: string[];
    try {
      names = readdirSync(join(dir, folder));
    } catch {
      return [];
    }
    return names
      .filter((name) => name.endsWith(".jsonl"))
      .toSorted()
      .slice(-MAX_FILES)
      .map((name) => join(folder, name));
  });
}

function userMessagesIn(dir: string, path: string, size: number): UserMessage[] {
  const found: UserMessage[] = [];
  let bytes: Buffer;
  let fd: number;
  try {
    fd = openSync(join(dir, path), "r");
  } catch {
    return found;
  }
  try {
    const length = Math.min(Math.max(0, statSync(join(dir, path)).size - size), MAX_TAIL_BYTES);
    bytes = Buffer.alloc(length);
    for (let read = 0; read < length;) {
      const more = readSync(fd, bytes, read, length - read, size + read);
      if (more === 0) break;
      read += more;
    }
  } finally {
    closeSync(fd);
  }
  for (let start = 0; start < bytes.length;) {
    const lf = bytes.indexOf(0x0a, start);
    const end = lf === -1 ? bytes.length : lf;
    const line = bytes.subarray(start, end).toString();
    if (line.includes('"user"')) {
      const text = userTextOf(line);
      if (text !== undefined) found.push({ path, at: size + start, text });
    }
    start = end + 1;
  }
  return found;
}

function userTextOf(line: string): string | undefined {
  try {
    const entry = JSON.parse(line) as { type?: unknown; message?: { role?: unknown } };
    return entry.type === "message" && entry.message?.role === "user"
      ? textOf(entry.message)
      : undefined;
  } catch {
    // The torn last line of a process that was killed.
    return undefined;
  }
}
