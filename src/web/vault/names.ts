import { effect, signal } from "@preact/signals";
import { account } from "../account/account.ts";
import { onVaultChanges } from "../chat/vault-changes.ts";
import { listPages, partsOf } from "./files.ts";

/** All files of the vault by name, read when somebody first needs them and kept true from then on. */
export interface Names {
  readonly paths: ReadonlySet<string>;
  /** Paths by the last name in lower case, without `.md`. */
  readonly byName: ReadonlyMap<string, readonly string[]>;
  readonly isWhole: boolean;
}

const EMPTY: Names = { paths: new Set(), byName: new Map(), isWhole: false };
/** More are not kept. */
const MAX_PATHS = 300_000;
/** Changes are gathered for so long, ms. */
const GATHERED_MS = 300;

export const names = signal<Names>(EMPTY);

let paths = new Set<string>();
let reading: AbortController | undefined;
let timer: ReturnType<typeof setTimeout> | undefined;
/** They may have changed; they are read again when somebody needs them, and not before. */
let isStale = false;

/** Begins to read them, if nobody has. */
export function needNames(): void {
  if (reading === undefined || isStale) void read();
}

async function read(): Promise<void> {
  reading?.abort();
  const abort = new AbortController();
  reading = abort;
  isStale = false;
  const found = new Set<string>();
  try {
    for await (const entries of listPages("", { depth: 64, signal: abort.signal })) {
      for (const { path, type } of entries) {
        if (type !== "dir" && found.size < MAX_PATHS) found.add(path);
      }
      if (!names.peek().isWhole) publish(found, false);
    }
    if (abort.signal.aborted) return;
    paths = found;
    publish(found, true);
  } catch {
    // Whoever needs them next tries again.
    if (reading === abort) reading = undefined;
  }
}

function publish(of: ReadonlySet<string>, isWhole: boolean): void {
  const byName = new Map<string, string[]>();
  for (const path of of) {
    const key = keyOf(path);
    const others = byName.get(key);
    if (others === undefined) byName.set(key, [path]);
    else others.push(path);
  }
  names.value = { paths: new Set(of), byName, isWhole };
}

function keyOf(path: string): string {
  const { name } = partsOf(path);
  return name.replace(/\.md$/i, "").toLowerCase().normalize("NFC");
}

onVaultChanges((changes, isMore) => {
  if (reading === undefined) return;
  if (isMore || !names.peek().isWhole) isStale = true;
  let isOther = false;
  for (const { path, kind } of changes) {
    if (kind === "removed") isOther = paths.delete(path) || isOther;
    else if (kind === "created" && !/(?:^|\/)\./.test(path)) {
      // What was made may be a folder, which is not told; few of them have an ending.
      if (/\.\w{1,12}$/.test(path) && paths.size < MAX_PATHS) {
        paths.add(path);
        isOther = true;
      } else isStale = true;
    }
  }
  if (!isOther || !names.peek().isWhole) return;
  clearTimeout(timer);
  timer = setTimeout(() => publish(paths, true), GATHERED_MS);
});

// The next one to sign in may see another vault.
effect(() => {
  if (account.value.kind === "in") return;
  reading?.abort();
  reading = undefined;
  clearTimeout(timer);
  paths = new Set();
  names.value = EMPTY;
});

/**
 * The file that a wiki-link means: by its path, or by its name, the one nearest to the note where there are several.
 * `undefined` where there is none.
 */
export function resolveName(target: string, from: string, among: Names): string | undefined {
  const wanted = target.replace(/^\/+/, "").normalize("NFC");
  const { folder } = partsOf(from);
  const near = folder === "" ? wanted : `${folder}/${wanted}`;
  for (const path of [wanted, `${wanted}.md`, near, `${near}.md`]) {
    if (among.paths.has(path)) return path;
  }
  const named = among.byName.get(keyOf(wanted)) ?? [];
  const fitting = named.filter((path) => {
    const end = wanted.toLowerCase();
    const whole = `/${path.toLowerCase().normalize("NFC")}`;
    return whole.endsWith(`/${end}`) || whole.endsWith(`/${end}.md`);
  });
  return fitting.toSorted(
    (a, b) =>
      Number(b.startsWith(`${folder}/`)) - Number(a.startsWith(`${folder}/`)) ||
      a.length - b.length ||
      (a < b ? -1 : 1),
  )[0];
}
