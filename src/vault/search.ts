import type { Clock } from "../clock.ts";
import type { Caller } from "./access.ts";
import { VaultError } from "./error.ts";
import { Needle } from "./needle.ts";
import { MAX_PATH_BYTES, parsePath } from "./path.ts";
import { openPlain } from "./plain-walk.ts";
import { type Hit, ripgrep } from "./ripgrep.ts";
import { SearchedFile } from "./searched-file.ts";
import { Slots } from "./slots.ts";
import { TimeSlice } from "./time-slice.ts";
import { walkTree } from "./tree-walk.ts";
import type { Root } from "./walk.ts";

/** Matches in an answer. */
const DEFAULT_MATCHES = 100;
const MAX_MATCHES = 1000;

/** A search ends after this with what it has, ms. */
const MAX_SEARCH_MS = 5000;
/** Searches that run at once; those that wait. More are refused. */
const MAX_RUNNING = 2;
const MAX_WAITING = 8;

export interface Match {
  readonly path: string;
  /** From 1; 0 for a name that matches. */
  readonly line: number;
  /** The line, cut around the match to some 300 characters; or the name. */
  readonly text: string;
}

export interface Found {
  /** By path, then by line. */
  readonly matches: readonly Match[];
  /** There is more, or time ran out. */
  readonly truncated: boolean;
}

export interface SearchOptions {
  /** Matches, 1 to 1,000, default 100. */
  readonly limit?: number | undefined;
  /** Nobody waits for the answer any more. */
  readonly signal?: AbortSignal | undefined;
  /** What it may not read is left out. */
  readonly caller?: Pick<Caller, "may"> | undefined;
}

export interface SearchParts {
  readonly root: Root;
  readonly clock: Clock;
  /** Absolute path of ripgrep; without it the vault is read here. */
  readonly ripgrep?: string | undefined;
}

/**
 * Finds a text in names and contents.
 *
 * Where to look is ripgrep's to say, where it is installed; what is told was read through the pinned walk, so no line of
 * a file outside comes into an answer. Names of folders are matched too. Left out: what begins with a dot, binary files,
 * files over 16 MiB, what lies more than 64 folders deep, names that are no UTF-8.
 *
 * If there are more matches than asked for, at least half of the answer is names, if there are so many.
 */
export class Search implements AsyncDisposable {
  readonly #parts: SearchParts;
  readonly #slots = new Slots(MAX_RUNNING, MAX_WAITING);
  readonly #closing = new AbortController();
  readonly #running = new Set<Promise<Found>>();

  constructor(parts: SearchParts) {
    this.#parts = parts;
  }

  /**
   * @throws {VaultError} `bad_query`; `overloaded` if too many searches wait; `vault_gone`
   * @throws the signal's reason
   */
  async find(query: string, options: SearchOptions = {}): Promise<Found> {
    const needle = new Needle(query);
    const limit = options.limit ?? DEFAULT_MATCHES;
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_MATCHES)
      throw new VaultError("bad_query", `Cannot search: expected "limit" from 1 to ${MAX_MATCHES}`);
    const signals = options.signal === undefined ? [] : [options.signal];
    const signal = AbortSignal.any([this.#closing.signal, ...signals]);
    signal.throwIfAborted();
    using _ = await this.#slots.take(signal);
    signal.throwIfAborted();
    this.#parts.root.assertThere();
    const run = new Run(this.#parts, needle, limit, { ...options, signal }).find();
    this.#running.add(run);
    try {
      const found = await run;
      signal.throwIfAborted();
      return found;
    } finally {
      this.#running.delete(run);
    }
  }

  /** Ends all searches: the root may be closed then. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#running);
  }
}

/** One search. */
class Run {
  readonly #parts: SearchParts;
  readonly #needle: Needle;
  readonly #limit: number;
  readonly #caller: SearchOptions["caller"];
  readonly #slice: TimeSlice;
  /** Time is over, or nobody waits. */
  readonly #stop = new AbortController();
  readonly #callers: AbortSignal | undefined;
  readonly #chunk = SearchedFile.chunk();
  readonly #names: Match[] = [];
  readonly #lines: Match[] = [];

  constructor(parts: SearchParts, needle: Needle, limit: number, options: SearchOptions) {
    this.#parts = parts;
    this.#needle = needle;
    this.#limit = limit;
    this.#callers = options.signal;
    this.#caller = options.caller;
    this.#slice = new TimeSlice(parts.clock, 0);
  }

  async find(): Promise<Found> {
    const stop = () => this.#stop.abort();
    const cancelTimer = this.#parts.clock.after(MAX_SEARCH_MS, stop);
    this.#callers?.addEventListener("abort", stop, { once: true });
    try {
      const { ripgrep: program } = this.#parts;
      if (program === undefined) await this.#walk({ names: true, contents: true });
      else {
        const [isDone] = await Promise.all([
          this.#ask(program),
          this.#walk({ names: true, contents: false }),
        ]);
        if (!isDone) {
          this.#lines.length = 0;
          await this.#walk({ names: false, contents: true });
        }
      }
    } finally {
      cancelTimer();
      this.#callers?.removeEventListener("abort", stop);
    }
    return this.#answer();
  }

  /** Names get half of the places at least; each kind takes what the other leaves. */
  #answer(): Found {
    const names = Math.min(
      this.#names.length,
      Math.max(Math.ceil(this.#limit / 2), this.#limit - this.#lines.length),
    );
    const chosen = [...this.#names.slice(0, names), ...this.#lines.slice(0, this.#limit - names)];
    const matches = chosen.toSorted(
      (a, b) => (a.path === b.path ? 0 : a.path < b.path ? -1 : 1) || a.line - b.line,
    );
    const isCut = matches.length < this.#names.length + this.#lines.length;
    return { matches, truncated: isCut || this.#stop.signal.aborted };
  }

  async #walk(what: { readonly names: boolean; readonly contents: boolean }): Promise<void> {
    for await (const { path, name, isFile, directory } of walkTree(this.#parts.root, this.#slice)) {
      if (this.#stop.signal.aborted) return;
      const wantsName = what.names && this.#names.length <= this.#limit;
      const wantsLines = what.contents && this.#lines.length <= this.#limit;
      if (!wantsName && !wantsLines) return;
      if (wantsName && this.#needle.isIn(name) && this.#isOpen(path))
        this.#names.push({ path, line: 0, text: name });
      if (!wantsLines || !isFile || !this.#isOpen(path)) continue;
      using file = SearchedFile.open(directory, name, this.#chunk);
      if (file === undefined) continue;
      const most = this.#limit + 1 - this.#lines.length;
      for (const { line, text } of await file.matches(this.#needle, most, this.#slice))
        this.#lines.push({ path, line, text });
    }
  }

  /** @returns false if ripgrep could not search */
  async #ask(program: string): Promise<boolean> {
    const hits = ripgrep(
      program,
      this.#parts.root.top,
      this.#needle,
      this.#limit + 1,
      this.#stop.signal,
    );
    let path: string | undefined;
    let file: SearchedFile | undefined;
    try {
      for (;;) {
        const next = await hits.next();
        if (next.done === true) return next.value || this.#stop.signal.aborted;
        const hit = next.value;
        // Its lines come one after the other.
        if (hit.path !== path) {
          file?.close();
          path = hit.path;
          file = this.#open(hit);
        }
        const text = await file?.matchAt(hit.offset, this.#needle);
        if (text !== undefined) this.#lines.push({ path: hit.path, line: hit.line, text });
        if (this.#lines.length > this.#limit || this.#stop.signal.aborted) return true;
        if (this.#slice.isOver) await this.#slice.pause();
      }
    } catch (error) {
      // Not there any more, no more processes: what it can do, we can.
      if ((error as NodeJS.ErrnoException).syscall !== undefined) return false;
      throw error;
    } finally {
      file?.close();
      await hits.return(true);
    }
  }

  #open({ path }: Hit): SearchedFile | undefined {
    if (Buffer.byteLength(path) > MAX_PATH_BYTES || !this.#isOpen(path)) return undefined;
    let names: readonly string[];
    try {
      ({ names } = parsePath(path));
    } catch {
      return undefined;
    }
    using directory = openPlain(this.#parts.root, names.slice(0, -1));
    return directory && SearchedFile.open(directory, names.at(-1) as string, this.#chunk);
  }

  #isOpen(path: string): boolean {
    return this.#caller?.may?.(path.split("/"), "read") !== false;
  }
}
