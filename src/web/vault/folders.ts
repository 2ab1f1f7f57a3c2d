import { computed, effect, type Signal, signal } from "@preact/signals";
import { account } from "../account/account.ts";
import { onVaultChanges } from "../chat/vault-changes.ts";
import { type Entry, listPages, partsOf, wordsFor } from "./files.ts";
import { keptList } from "./kept-list.ts";

/** A folder as far as it has been read. */
export interface Folder {
  readonly entries: readonly Entry[];
  readonly state: "reading" | "read" | "failed";
  readonly words?: string;
}

/** A line of the tree. */
export interface TreeRow {
  readonly entry: Entry;
  readonly depth: number;
  /** Place among its siblings from 1, and how many these are. */
  readonly position: number;
  readonly siblings: number;
  readonly isOpen: boolean;
}

/** Open folders that are remembered. */
const MAX_OPEN = 200;
/** Changes are gathered for so long, ms. */
const GATHERED_MS = 200;

const kept = keptList("open-folders", MAX_OPEN);
/** Folders whose content is shown in the tree. */
export const openFolders = computed<ReadonlySet<string>>(() => new Set(kept.value));
const folders = new Map<string, Signal<Folder>>();
const reading = new Map<string, AbortController>();
const stale = new Set<string>();
let timer: ReturnType<typeof setTimeout> | undefined;

/** A folder's content, read when it is first asked for. */
export function folder(path: string): Signal<Folder> {
  let found = folders.get(path);
  if (found === undefined) {
    found = signal<Folder>({ entries: [], state: "reading" });
    folders.set(path, found);
    void readFolder(path, found);
  }
  return found;
}

/** All lines of the tree, in order. */
export const treeRows = computed(() => {
  const rows: TreeRow[] = [];
  const open = openFolders.value;
  const add = (path: string, depth: number) => {
    const { entries } = folder(path).value;
    entries.forEach((entry, i) => {
      const isOpen = entry.type === "dir" && open.has(entry.path);
      rows.push({ entry, depth, position: i + 1, siblings: entries.length, isOpen });
      if (isOpen && depth < 64) add(entry.path, depth + 1);
    });
  };
  add("", 0);
  return rows;
});

export function setOpen(path: string, isOpen: boolean): void {
  const open = new Set(openFolders.peek());
  if (isOpen) open.add(path);
  else open.delete(path);
  kept.value = [...open];
}

/** Opens all folders above a path. */
export function reveal(path: string): void {
  const open = new Set(openFolders.peek());
  const names = path.split("/").slice(0, -1);
  names.forEach((_, i) => open.add(names.slice(0, i + 1).join("/")));
  kept.value = [...open];
}

/** Reads the folder anew that holds a path, and those above that may have come with it. */
export function refreshFolderOf(path: string): void {
  const names = path.split("/").slice(0, -1);
  for (let i = 0; i <= names.length; i++) refresh(names.slice(0, i).join("/"));
}

function refresh(path: string): void {
  const found = folders.get(path);
  if (found !== undefined) void readFolder(path, found);
}

async function readFolder(path: string, into: Signal<Folder>): Promise<void> {
  reading.get(path)?.abort();
  const abort = new AbortController();
  reading.set(path, abort);
  const entries: Entry[] = [];
  try {
    for await (const page of listPages(path, { signal: abort.signal })) {
      entries.push(...page);
      // The first page at once; of a folder that was shown, all in one.
      if (into.peek().state === "reading")
        into.value = { entries: sorted(entries), state: "reading" };
    }
    if (!abort.signal.aborted) into.value = { entries: sorted(entries), state: "read" };
  } catch (error) {
    if (abort.signal.aborted) return;
    into.value = { entries: into.peek().entries, state: "failed", words: wordsFor(error) };
  } finally {
    if (reading.get(path) === abort) reading.delete(path);
  }
}

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

/** Folders first, then by name as people count. */
function sorted(entries: readonly Entry[]): Entry[] {
  return entries.toSorted(
    (a, b) =>
      Number(b.type === "dir") - Number(a.type === "dir") ||
      collator.compare(a.name, b.name) ||
      (a.name < b.name ? -1 : 1),
  );
}

onVaultChanges((changes, isMore) => {
  for (const { path, kind } of changes) {
    if (kind !== "changed") stale.add(partsOf(path).folder);
  }
  if (isMore) for (const path of folders.keys()) stale.add(path);
  if (stale.size === 0) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    for (const path of stale) {
      // One that nobody sees is read when it is opened again.
      if (path === "" || openFolders.peek().has(path)) refresh(path);
      else folders.delete(path);
    }
    stale.clear();
  }, GATHERED_MS);
});

// The next one to sign in may see another vault.
effect(() => {
  if (account.value.kind === "in") return;
  for (const abort of reading.values()) abort.abort();
  folders.clear();
});
