import { availableParallelism } from "node:os";

/** Client and server on a core each, so that neither takes the other's time; the fake agent is with the client. */
const CORE = { client: "0", server: "1" } as const;

const taskset = Bun.which("taskset");
const isPinned = taskset !== null && availableParallelism() >= 2;

/** `argv`, on the core of this side where that can be arranged (Linux with util-linux and two cores or more). */
export function pinned(side: keyof typeof CORE, argv: readonly string[]): string[] {
  return isPinned && taskset !== null ? [taskset, "-c", CORE[side], ...argv] : [...argv];
}

/** Moves the bench's own threads to the client's core. */
export function pinOurselves(): void {
  if (isPinned && taskset !== null) {
    Bun.spawnSync([taskset, "-acp", CORE.client, String(process.pid)], { stdout: "ignore" });
  }
}

/** For the head of the report. */
export const PINNING = isPinned ? "server on core 1, client on core 0" : "not pinned to cores";
