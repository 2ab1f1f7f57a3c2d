import { computed, effect, signal } from "@preact/signals";
import { account, signedOut, tokenNow } from "../account/account.ts";
import { addressOf } from "../base.ts";
import { addressOfFile, joined, makeFolder, numbered } from "./files.ts";
import { refreshFolderOf } from "./folders.ts";

/** A file to be stored, and where. */
export interface Outgoing {
  readonly file: File;
  readonly path: string;
}

export interface Failure {
  readonly path: string;
  readonly why: string;
}

/** Sent at a time. */
const AT_ONCE = 3;
/** Files taken at once; more in one drop are refused as a whole. */
export const MAX_FILES = 5000;
/** Files of one name before it is given up. */
const MAX_TRIES = 50;

const waiting: Outgoing[] = [];
const running = new Set<XMLHttpRequest>();
const sent = signal(0);
const total = signal(0);
const doneFiles = signal(0);
const allFiles = signal(0);
const last = signal("");

export const failures = signal<readonly Failure[]>([]);

/** How far it is; `undefined` while nothing is sent. */
export const progress = computed(() =>
  allFiles.value === 0
    ? undefined
    : {
        done: doneFiles.value,
        files: allFiles.value,
        percent: total.value === 0 ? 100 : Math.min(100, (100 * sent.value) / total.value),
        name: last.value,
      },
);

/** Begins to store files, each under a name that is free. */
export function upload(files: readonly Outgoing[]): void {
  if (files.length > MAX_FILES) {
    fail(`${files.length} files`, `at most ${MAX_FILES} are taken at once`);
    return;
  }
  allFiles.value += files.length;
  total.value += files.reduce((sum, { file }) => sum + file.size, 0);
  waiting.push(...files);
  for (let i = running.size; i < AT_ONCE; i++) void sendNext();
}

/** Ends what is under way; what is stored stays. */
export function stopUpload(): void {
  waiting.length = 0;
  for (const request of running) request.abort();
  reset();
}

function reset(): void {
  sent.value = 0;
  total.value = 0;
  doneFiles.value = 0;
  allFiles.value = 0;
}

async function sendNext(): Promise<void> {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { file, path } = next;
    last.value = path;
    try {
      refreshFolderOf(await store(file, path));
    } catch (error) {
      if (error instanceof Stopped) return;
      fail(path, (error as Error).message);
    }
    doneFiles.value++;
    if (doneFiles.value >= allFiles.value) reset();
  }
}

function fail(path: string, why: string): void {
  failures.value = [...failures.value, { path, why }].slice(-50);
}

class Stopped extends Error {}

async function store(file: File, path: string): Promise<string> {
  for (let i = 1; i <= MAX_TRIES; i++) {
    const free = numbered(path, i);
    const status = await send(file, free);
    if (status === 200 || status === 201) return free;
    if (status !== 412) throw new Error(wordsOf(status));
  }
  throw new Error("too many of that name are there already");
}

/** `XMLHttpRequest` tells how much has been sent, which `fetch` doesn't. */
function send(file: File, path: string): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const request = new XMLHttpRequest();
  let counted = 0;
  const count = (bytes: number) => {
    sent.value += bytes - counted;
    counted = bytes;
  };
  running.add(request);
  request.upload.addEventListener("progress", ({ loaded }) => count(loaded));
  request.addEventListener("load", () => {
    if (request.status === 401) signedOut("over");
    // Another name is tried from the start.
    count(request.status === 412 ? 0 : file.size);
    resolve(request.status);
  });
  request.addEventListener("error", () => reject(new Error("Nest doesn't answer")));
  request.addEventListener("abort", () => reject(new Stopped()));
  request.addEventListener("loadend", () => running.delete(request));
  request.open("PUT", addressOf(addressOfFile(path)));
  request.setRequestHeader("Authorization", `Bearer ${tokenNow() ?? ""}`);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  request.setRequestHeader("If-None-Match", "*");
  request.send(file);
  return promise;
}

function wordsOf(status: number): string {
  switch (status) {
    case 403:
      return "that name or place is not allowed";
    case 409:
      return "something else is in its way";
    case 413:
      return "it is larger than this Nest takes";
    case 507:
      return "the disk is full";
    default:
      return `the server answered ${status}`;
  }
}

/** What was dropped or picked, folders with all that is in them. */
export async function filesOf(data: DataTransfer, folder: string): Promise<Outgoing[]> {
  // Only in this turn of the event loop the items can be read.
  const roots = [...data.items].map((item) => item.webkitGetAsEntry());
  const loose = [...data.files];
  const found: Outgoing[] = [];
  if (roots.every((root) => root === null)) return pickedFiles(loose, folder);
  for (const root of roots) if (root !== null) await collect(root, folder, found);
  return found;
}

/** Picked files; those of a picked folder know their place in it. */
export function pickedFiles(files: Iterable<File>, folder: string): Outgoing[] {
  return [...files].map((file) => ({
    file,
    path: joined(folder, file.webkitRelativePath === "" ? file.name : file.webkitRelativePath),
  }));
}

async function collect(entry: FileSystemEntry, folder: string, into: Outgoing[]): Promise<void> {
  if (into.length > MAX_FILES) return;
  const path = joined(folder, entry.name);
  if (entry.isFile) {
    const { promise, resolve, reject } = Promise.withResolvers<File>();
    (entry as FileSystemFileEntry).file(resolve, reject);
    try {
      into.push({ file: await promise, path });
    } catch {
      fail(path, "this browser can't read it");
    }
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  let count = 0;
  for (;;) {
    const { promise, resolve, reject } = Promise.withResolvers<FileSystemEntry[]>();
    reader.readEntries(resolve, reject);
    // A hundred at a time, until there are none (the File and Directory Entries API).
    const some = await promise.catch(() => []);
    if (some.length === 0) break;
    count += some.length;
    for (const inner of some) await collect(inner, path, into);
  }
  if (count === 0) await makeFolder(path).catch(() => fail(path, "the folder was not made"));
}

effect(() => {
  if (account.value.kind === "out") stopUpload();
});
