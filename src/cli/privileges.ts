import { existsSync, readFileSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { dlopen } from "bun:ffi";
import { EXIT_USAGE, Exit } from "./exit.ts";

/**
 * In the container image Nest runs only without any privilege: whoever gets one back could undo the wall around the
 * agent, and setpriv(1) says "done" when it could not take one away.
 *
 * That this is the image says a file beside the code, made by the Dockerfile and owned by root. An environment variable
 * would be left out by whoever starts Nest past the entrypoint; a file can't be.
 */
const IMAGE_MARK = fileURLToPath(new URL("../../.container-image", import.meta.url));

/** The five sets of capabilities(7). A capability left in any of them can come back through an exec. */
const SETS = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] as const;

/**
 * What a process could still do with its privileges, one line each; nothing = it has none.
 *
 * @param status - text of `/proc/<pid>/status` (proc(5)); a line that is missing counts against it
 */
export function privilegesLeft(status: string): string[] {
  const left: string[] = [];
  const field = (name: string) => new RegExp(`^${name}:[ \t]*(.*)$`, "m").exec(status)?.[1]?.trim();
  for (const name of SETS) {
    const set = field(name);
    if (set === undefined || !/^0+$/.test(set))
      left.push(`${name} is ${set ?? "missing"}, expected no capability`);
  }
  const noNewPrivs = field("NoNewPrivs");
  if (noNewPrivs !== "1") left.push(`NoNewPrivs is ${noNewPrivs ?? "missing"}, expected 1`);
  for (const name of ["Uid", "Gid"]) {
    const ids = field(name)?.split(/\s+/) ?? [];
    // Real, effective, saved, file system.
    if (ids.length !== 4 || !ids.every((id) => /^[1-9]\d*$/.test(id)))
      left.push(`${name} is ${ids.join(" ") || "missing"}, expected four that are not 0`);
  }
  const groups = field("Groups");
  if (groups === undefined || groups.split(/\s+/).includes("0"))
    left.push(`Groups is ${groups ?? "missing"}, expected none that is 0`);
  return left;
}

/**
 * Ends a Nest that runs in the image with any privilege. Elsewhere it does nothing.
 *
 * @throws {Exit}
 */
export function requireNoPrivileges(): void {
  if (!existsSync(IMAGE_MARK)) return;
  const left = privilegesLeft(readFileSync("/proc/self/status", "latin1"));
  if (left.length === 0) return;
  throw new Exit(
    EXIT_USAGE,
    `Cannot run in the container: privileges are left (${left.join("; ")}). Start it through container/entrypoint.sh with the capabilities that compose.yaml names, and with no-new-privileges`,
  );
}

/** In the image, what this process could still do; `undefined` elsewhere. */
export function privilegesHere(): string[] | undefined {
  if (!existsSync(IMAGE_MARK)) return undefined;
  return privilegesLeft(readFileSync("/proc/self/status", "latin1"));
}

/** prctl(2), from linux/prctl.h. */
const PR_SET_DUMPABLE = 4;

/**
 * In the image, closes this process to others of its own user, of which the agent is one: no ptrace, and no reading of
 * `/proc/<pid>/mem`, `environ` or `fd` (PR_SET_DUMPABLE(2const); ptrace(2), "access mode checking"). The agent can still
 * end it.
 *
 * @throws {Exit} if it did not take
 */
export function closeToOwnUser(): void {
  if (!existsSync(IMAGE_MARK)) return;
  let reason = "";
  try {
    const { symbols, close } = dlopen("libc.so.6", {
      prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    });
    symbols.prctl(PR_SET_DUMPABLE, 0n, 0n, 0n, 0n);
    close();
  } catch (error) {
    reason = ` (${(error as Error).message})`;
  }
  // The kernel's own word: what may not be dumped belongs to root in /proc.
  if (statSync("/proc/self/environ").uid === 0) return;
  throw new Exit(
    EXIT_USAGE,
    `Cannot run in the container: prctl(PR_SET_DUMPABLE) had no effect, and the agent could read Nest's memory${reason}`,
  );
}
