import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootId } from "../agent/disk-journal.ts";
import type { Log } from "../log/log.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";

/**
 * Takes the sessions' folder for this process: two Nests on one would run prompts twice and write over each other.
 * Whoever died without giving it back no longer holds it: a process is known by its id and its start.
 *
 * Processes of another container on the same folder can't be seen, nor anything where there is no /proc.
 *
 * @returns gives it back
 * @throws {Exit} if another Nest has it
 */
export function lockFolder(dir: string, log: Log): () => void {
  // No session can have this name.
  const path = join(dir, ".lock");
  const own = JSON.stringify({ pid: process.pid, start: startOf(process.pid), boot: bootId() });
  for (let isSecondTry = false; ; isSecondTry = true) {
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      writeFileSync(path, own, { flag: "wx", mode: 0o600 });
      return () => rmSync(path, { force: true });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code !== "EEXIST" || isSecondTry) {
        // A full disk must not keep a Nest from starting.
        log.warn("lock_failed", { file: path, reason: message });
        return () => {};
      }
    }
    const holder = holderIn(path);
    if (holder !== undefined) {
      throw new Exit(
        EXIT_USAGE,
        `Cannot use the sessions in "${dir}": another Nest (process ${holder}) has them. Stop it first, or give this one a config in another folder`,
      );
    }
    rmSync(path, { force: true });
  }
}

/** Id of the process that has the lock; `undefined` if it is gone. */
function holderIn(path: string): number | undefined {
  try {
    const { pid, start, boot } = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
    if (typeof pid !== "number" || pid === process.pid) return undefined;
    return boot === bootId() && start !== undefined && start === startOf(pid) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** When a process started, clock ticks since the machine did (proc(5), field 22 of stat). */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The name stands in parentheses and may hold anything.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" ? undefined : fields[18];
  } catch {
    return undefined;
  }
}
