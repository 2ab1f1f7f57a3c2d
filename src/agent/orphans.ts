import { readdirSync, readFileSync } from "node:fs";

/**
 * Name of the environment variable that marks everything a pi process starts. pi runs each tool in a process group of
 * its own, so killing pi's group does not reach them once pi is gone; the mark does.
 */
export const MARK = "NEST_AGENT_PROCESS";

/** Passes over `/proc`: a process may fork while it is looked for. Each finds nothing in the usual case. */
const MAX_PASSES = 20;

/**
 * Kills (SIGKILL) every process that inherited the mark `id`, and returns how many there were.
 *
 * Linux: by `/proc/<pid>/environ` (proc(5)), which holds the environment at exec. A tool that clears its environment
 * *and* leaves pi's group on purpose is not found. Elsewhere nothing is found and 0 is returned.
 */
export function killMarked(id: string): number {
  let killed = 0;
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const pids = markedPids(id);
    if (pids.length === 0) break;
    for (const pid of pids) if (kill(pid)) killed++;
  }
  return killed;
}

function markedPids(id: string): number[] {
  const mark = `${MARK}=${id}\0`;
  const pids: number[] = [];
  let names: string[];
  try {
    names = readdirSync("/proc");
  } catch {
    return pids;
  }
  for (const name of names) {
    const pid = Number(name);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      // A zombie's environ reads empty, so what waits to be reaped is not found again.
      if (`${readFileSync(`/proc/${pid}/environ`, "latin1")}\0`.includes(mark)) pids.push(pid);
    } catch {
      // Another user's, or gone since.
    }
  }
  return pids;
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, "SIGKILL");
    return true;
  } catch {
    return false;
  }
}
