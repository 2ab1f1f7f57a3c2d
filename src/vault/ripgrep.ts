import { MAX_SEARCHED_BYTES } from "./searched-file.ts";
import type { Directory } from "./directory.ts";
import type { Needle } from "./needle.ts";
import { nameFromBytes } from "./path.ts";

/** A line that ripgrep points at: nothing of what it holds. */
export interface Hit {
  /** As ripgrep wrote it: not looked at yet. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  /** Where the line begins in the file, bytes. */
  readonly offset: number;
}

/** Most folders in one another that are gone down into. */
export const MAX_SEARCH_DEPTH = 64;
/** A path of at most 4,096 bytes, two numbers, a notice. More without an end is not ripgrep. Bytes. */
const MAX_RECORD_BYTES = 16 * 1024;

/**
 * Fixed but for the needle and the count. Read-only, no configuration, no ignore files (they are the agent's, and hide
 * things from the owner), no links, no memory maps (a file cut short meanwhile would end the process), no transcoding.
 *
 * With a column limit of 1 it prints where a line is and not the line: output stays small, and no text of it is used.
 */
function argumentsFor(needle: Needle, mostPerFile: number): string[] {
  return [
    "--no-config",
    "--no-ignore",
    "--no-follow",
    "--no-messages",
    "--no-mmap",
    "--encoding=none",
    "--color=never",
    "--no-heading",
    "--with-filename",
    "--null",
    "--line-number",
    "--byte-offset",
    "--max-columns=1",
    "--no-max-columns-preview",
    "--sort=path",
    "--threads=1",
    `--max-depth=${MAX_SEARCH_DEPTH}`,
    `--max-filesize=${MAX_SEARCHED_BYTES}`,
    `--max-count=${mostPerFile}`,
    "--ignore-case",
    "--fixed-strings",
    ...needle.spellings.map((spelling) => `--regexp=${spelling}`),
    "--",
    "./",
  ];
}

/**
 * Asks ripgrep which lines hold the needle, ordered by folder. It opens files by path, so whoever swaps folders for links
 * meanwhile makes it read outside: measured, 320 of 508 searches did. What it says is a hint, each to be looked at
 * through the pinned walk.
 *
 * The process is killed when the caller stops early, and when `signal` says so.
 *
 * @param program - absolute path
 * @returns whether it could search at all
 */
export async function* ripgrep(
  program: string,
  directory: Directory,
  needle: Needle,
  mostPerFile: number,
  signal: AbortSignal,
): AsyncGenerator<Hit, boolean> {
  const child = Bun.spawn([program, ...argumentsFor(needle, mostPerFile)], {
    // The very directory, wherever it is by now: the child has our descriptors until it becomes another program. By our
    // process id it would need to be let into us, which in the container nobody is.
    cwd: directory.self,
    env: {},
    stdin: "ignore",
    stdout: "pipe",
    stderr: "ignore",
  });
  const kill = () => child.kill("SIGKILL");
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  let hits = 0;
  try {
    let rest = Buffer.alloc(0);
    for await (const chunk of child.stdout) {
      rest = Buffer.concat([rest, chunk]);
      let start = 0;
      for (;;) {
        // The path ends with NUL and may hold newlines; what follows does not.
        const nul = rest.indexOf(0, start);
        const end = nul < 0 ? -1 : rest.indexOf(0x0a, nul);
        if (end < 0) break;
        const hit = parse(rest.subarray(start, nul), rest.subarray(nul + 1, end));
        start = end + 1;
        hits++;
        if (hit !== undefined) yield hit;
      }
      rest = rest.subarray(start);
      if (rest.length > MAX_RECORD_BYTES) return false;
    }
    const code = await child.exited;
    // 0: found, 1: nothing found, 2: something went wrong, with or without hits.
    return code === 0 || code === 1 || hits > 0;
  } finally {
    signal.removeEventListener("abort", kill);
    kill();
    await child.exited;
  }
}

/** @param place - `line:offset:` and a notice */
function parse(path: Buffer, place: Buffer): Hit | undefined {
  const numbers = /^(\d{1,15}):(\d{1,15})[:-]/.exec(place.toString("latin1"));
  const text = nameFromBytes(path);
  if (numbers === null || text === undefined || !text.startsWith("./")) return undefined;
  return { path: text.slice(2), line: Number(numbers[1]), offset: Number(numbers[2]) };
}
