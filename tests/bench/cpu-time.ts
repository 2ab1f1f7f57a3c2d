import { readdirSync, readFileSync } from "node:fs";

/**
 * CPU time that a process has used so far, all its threads, µs; `undefined` where the kernel does not tell it.
 *
 * Linux, /proc/PID/task/TID/schedstat (Documentation/scheduler/sched-stats.rst): its first number is nanoseconds on a
 * CPU. Threads that have ended are missing, but Bun keeps its own.
 */
export function cpuUs(pid: number): number | undefined {
  try {
    let ns = 0;
    for (const tid of readdirSync(`/proc/${pid}/task`)) {
      ns += Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ")[0]);
    }
    return ns / 1e3;
  } catch {
    return undefined;
  }
}
