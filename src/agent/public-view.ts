import { basename, isAbsolute, relative } from "node:path";
import type { PiRecord } from "./pi.ts";

/**
 * What clients see of pi's records: everything but the system prompt and paths of the host. Those are in known places
 * (`message.sections`, `sessionFile`, `fullOutputPath`, …); text that the agent wrote or a tool printed is the
 * conversation itself and is passed on as it is.
 */
export interface HostPaths {
  /** The session's working folder; paths in it are shown relative to it. */
  readonly cwd: string;
  /** Other folders, longest first, each with the word shown instead. */
  readonly hidden: readonly (readonly [path: string, word: string])[];
}

/** Fields that hold a host path and nothing that a client needs. */
const PATH_FIELDS = ["sessionFile", "fullOutputPath", "sourceInfo", "cwd", "parentSession"];

/**
 * The JSON of an event as clients see it; `undefined` for one they don't see at all.
 *
 * @param line - the event's own text, passed on unchanged where nothing in it is hidden: deltas are most of what there is
 */
export function publicEvent(event: PiRecord, line: string, paths: HostPaths): string | undefined {
  switch (event.type) {
    case "message_start":
    case "message_end":
      return isSystem(event["message"]) ? undefined : withoutOutputPathsIn(event, line);
    case "agent_end":
      return JSON.stringify({ ...event, messages: withoutSystem(event["messages"]) });
    case "entry_appended": {
      const entry = event["entry"];
      return isSystemEntry(entry)
        ? undefined
        : JSON.stringify({ ...event, entry: publicEntry(entry) });
    }
    case "tool_execution_update":
    case "tool_execution_end":
    case "turn_end":
    case "compaction_end":
      return withoutOutputPathsIn(event, line);
    case "extension_error":
      return JSON.stringify({
        ...event,
        extensionPath: basename(String(event["extensionPath"])),
        error: hidePaths(String(event["error"]), paths),
      });
    default:
      return line;
  }
}

/** Most lines hold none, and are passed on as they are. */
function withoutOutputPathsIn(event: PiRecord, line: string): string {
  return line.includes('"fullOutputPath"') ? JSON.stringify(withoutOutputPaths(event)) : line;
}

/** The `data` of a response as clients see it. */
export function publicData(command: string, data: unknown, paths: HostPaths): unknown {
  if (!isObject(data)) return data;
  switch (command) {
    case "get_messages":
      return { ...data, messages: withoutSystem(data["messages"]) };
    case "get_entries":
      return { ...data, entries: list(data["entries"]).map(publicEntry) };
    case "get_tree":
      return { ...data, tree: list(data["tree"]).map(publicNode) };
    case "get_commands":
      return { ...data, commands: list(data["commands"]).map(withoutPathFields) };
    case "export_html":
      return { ...data, path: publicPath(String(data["path"]), paths) };
    default:
      return withoutPathFields(data);
  }
}

/** A message of pi's with the host's folders replaced: its errors name files of its own. */
export function hidePaths(text: string, { cwd, hidden }: HostPaths): string {
  let shown = text;
  for (const [path, word] of [...hidden, [cwd, "."] as const]) shown = shown.replaceAll(path, word);
  return shown;
}

function publicPath(path: string, { cwd }: HostPaths): string {
  const inside = relative(cwd, path);
  return inside.startsWith("..") || isAbsolute(inside) ? basename(path) : inside;
}

function publicNode(node: unknown): unknown {
  if (!isObject(node)) return node;
  return {
    ...node,
    entry: publicEntry(node["entry"]),
    children: list(node["children"]).map(publicNode),
  };
}

/** The entry's place in the tree is kept, its secrets are not. */
function publicEntry(entry: unknown): unknown {
  if (!isObject(entry)) return entry;
  if (isSystemEntry(entry)) return { ...entry, message: { role: "system" } };
  return entry["type"] === "session" ? withoutPathFields(entry) : withoutOutputPaths(entry);
}

function isSystemEntry(entry: unknown): boolean {
  return isObject(entry) && isSystem(entry["message"]);
}

function isSystem(message: unknown): boolean {
  return isObject(message) && message["role"] === "system";
}

function withoutSystem(messages: unknown): unknown[] {
  return list(messages)
    .filter((message) => !isSystem(message))
    .map(withoutOutputPaths);
}

/** Tool results name the file with their full output in `details`, or in the result itself for `bash`. */
function withoutOutputPaths(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutOutputPaths);
  if (!isObject(value)) return value;
  // No prototype: a key named `__proto__` is data.
  const copy = Object.create(null) as Record<string, unknown>;
  for (const [key, inner] of Object.entries(value)) {
    if (key === "fullOutputPath") continue;
    // Arguments of a tool call are the model's own words.
    copy[key] = key === "arguments" || key === "args" ? inner : withoutOutputPaths(inner);
  }
  return copy;
}

function withoutPathFields(value: unknown): unknown {
  if (!isObject(value)) return value;
  const copy = { ...value };
  for (const field of PATH_FIELDS) delete copy[field];
  return copy;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
