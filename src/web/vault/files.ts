import { ApiError } from "../api/ask.ts";
import { api, apiJson, jsonBody } from "../api/http.ts";

/** A line of a folder's listing (docs/vault.md). */
export interface Entry {
  readonly path: string;
  readonly name: string;
  readonly type: "file" | "dir" | "link";
  readonly size: number;
  readonly modified: string;
}

interface Page {
  readonly entries: readonly Entry[];
  readonly cursor?: string;
}

/** What is deleted lies here (docs/vault.md). */
export const TRASH = ".trash";

/** Entries asked for at once; the server gives no more. */
const PAGE = 10_000;

export interface ListOptions {
  readonly depth?: number;
  readonly hidden?: boolean;
  readonly signal?: AbortSignal;
}

/** A folder, page by page. @throws {ApiError} */
export async function* listPages(
  dir: string,
  { depth = 1, hidden = false, signal }: ListOptions = {},
): AsyncGenerator<readonly Entry[]> {
  for (let cursor: string | undefined; ;) {
    const query = new URLSearchParams({ depth: String(depth), limit: String(PAGE) });
    if (dir !== "") query.set("dir", dir);
    if (hidden) query.set("hidden", "true");
    if (cursor !== undefined) query.set("cursor", cursor);
    const page = await apiJson<Page>(`api/files?${query}`, signal ? { signal } : {});
    yield page.entries;
    cursor = page.cursor;
    if (cursor === undefined) return;
  }
}

/** Where the API has a file. */
export function addressOfFile(path: string): string {
  return `api/files/${path.split("/").map(encodeURIComponent).join("/")}`;
}

/** Stored bytes and their tag; `match` is the tag that must still hold, `undefined` = there must be no such file. */
export async function putFile(
  path: string,
  body: BodyInit,
  match: string | undefined,
): Promise<string> {
  const response = await api(addressOfFile(path), {
    method: "PUT",
    body,
    headers: {
      "Content-Type": "application/octet-stream",
      ...(match === undefined ? { "If-None-Match": "*" } : { "If-Match": match }),
    },
  });
  return response.headers.get("ETag") ?? "";
}

export async function makeFolder(path: string): Promise<void> {
  await api(`${addressOfFile(path)}/`, { method: "PUT" });
}

/** Into the trash. @returns where it lies there */
export async function trash(path: string): Promise<string | undefined> {
  const response = await api(`${addressOfFile(path)}?recursive=true`, { method: "DELETE" });
  const lies = response.headers.get("X-Trash-Path");
  return lies === null ? undefined : decodeURI(lies);
}

/** For good. */
export async function deleteForGood(path: string): Promise<void> {
  await api(`${addressOfFile(path)}?recursive=true&permanent=true`, { method: "DELETE" });
}

export async function move(from: string, to: string): Promise<void> {
  await api("api/move", { method: "POST", ...jsonBody({ from, to }) });
}

/** Moves to where nothing is: `to`, or with a number behind its name. @returns where it is now */
export async function moveBeside(from: string, to: string): Promise<string> {
  return besides(to, (path) => move(from, path));
}

/** Stores under a name that is free: `path`, or with a number behind its name. @returns the path */
export async function putBeside(path: string, body: BodyInit): Promise<string> {
  return besides(path, (free) => putFile(free, body, undefined));
}

/** Things of one name before it is given up. */
const MAX_TRIES = 100;

async function besides(path: string, use: (path: string) => Promise<unknown>): Promise<string> {
  for (let i = 1; i <= MAX_TRIES; i++) {
    const free = numbered(path, i);
    try {
      await use(free);
      return free;
    } catch (error) {
      if (!(error instanceof ApiError && (error.status === 409 || error.status === 412)))
        throw error;
    }
  }
  throw new Error("Too many of that name are there already");
}

/** `a/b.md`, `a/b 2.md`, `a/b 3.md`, … */
export function numbered(path: string, i: number): string {
  if (i === 1) return path;
  const { folder, stem, ending } = partsOf(path);
  return joined(folder, `${stem} ${i}${ending}`);
}

export interface PathParts {
  readonly folder: string;
  readonly name: string;
  readonly stem: string;
  /** With its dot, or "". */
  readonly ending: string;
}

export function partsOf(path: string): PathParts {
  const slash = path.lastIndexOf("/");
  const name = path.slice(slash + 1);
  const dot = name.lastIndexOf(".");
  return {
    folder: slash === -1 ? "" : path.slice(0, slash),
    name,
    stem: dot > 0 ? name.slice(0, dot) : name,
    ending: dot > 0 ? name.slice(dot) : "",
  };
}

export function joined(folder: string, name: string): string {
  return folder === "" ? name : `${folder}/${name}`;
}

/** Takes away what is left of a place in the trash, if that is nothing but the folders of the way to it. */
export async function sweepTrash(lies: string): Promise<void> {
  const place = lies.split("/").slice(0, 2).join("/");
  try {
    for await (const entries of listPages(place, { depth: 64, hidden: true })) {
      if (entries.some(({ type }) => type !== "dir")) return;
    }
    await deleteForGood(place);
  } catch {
    // It is gone, or stays.
  }
}

/** The path that a thing in the trash had, with the part that tells when it was deleted. */
export function trashedFrom(path: string): { id: string; path: string } | undefined {
  const [trashFolder, id, ...names] = path.split("/");
  if (trashFolder !== TRASH || id === undefined || names.length === 0) return undefined;
  return { id, path: names.join("/") };
}

/** Puts a version into the trash that was not chosen, as if the file had been deleted. */
export async function keepInTrash(path: string, text: string): Promise<string> {
  const time = new Date().toISOString().slice(0, 19).replaceAll(":", "-");
  const id = `${time}Z-${crypto.getRandomValues(new Uint8Array(6)).toHex()}`;
  const lies = `${TRASH}/${id}/${trashedFrom(path)?.path ?? path}`;
  await putFile(lies, text, undefined);
  return lies;
}

/** Characters that turn the text around them, so that `gpj.exe` reads `exe.jpg`. */
const TURNING = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A name as it is shown: nothing in it hides what it is. */
export function visible(name: string): string {
  return name.replaceAll(TURNING, "\ufffd");
}

/** What can't be a path, in words; `undefined` = it may be one. */
export function problemOfPath(path: string): string | undefined {
  const names = path.split("/");
  if (path === "") return "A name is needed.";
  if (/[\\\0]/.test(path)) return "A name can't have a backslash.";
  if (names.some((name) => name === "")) return "There is an empty name between slashes.";
  if (names.some((name) => name === "." || name === "..")) return "“.” and “..” are no names.";
  const bytes = new TextEncoder();
  if (names.some((name) => bytes.encode(name).length > 255)) return "That name is too long.";
  return undefined;
}

/** Words for a refusal. */
export function wordsFor(error: unknown): string {
  if (!(error instanceof ApiError)) return (error as Error).message;
  switch (error.code) {
    case "unreachable":
      return "Nest doesn't answer.";
    case "insufficient_scope":
      return "This browser's token may not do that.";
    default:
      return error.status === 409 ? "Something of that name is there already." : error.message;
  }
}

/** `812 bytes`, `4.2 MB` */
export function shownSize(bytes: number): string {
  if (bytes < 1000) return `${bytes} bytes`;
  const units = ["kB", "MB", "GB", "TB"];
  let value = bytes / 1000;
  let unit = 0;
  for (; value >= 999.5 && unit < units.length - 1; unit++) value /= 1000;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}
