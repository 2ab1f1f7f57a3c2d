import { readFileSync } from "node:fs";

/**
 * The environment that Nest was started with.
 *
 * Not `process.env`: Bun adds to it what a `.env` in the current folder says, and the current folder may be one that the
 * agent writes to. The kernel has the original (Linux, proc(5)); elsewhere there is only `process.env`.
 */
export function startEnvironment(): Record<string, string | undefined> {
  let block: string;
  try {
    block = readFileSync("/proc/self/environ", "utf8");
  } catch {
    return process.env;
  }
  const environment: Record<string, string> = {};
  for (const pair of block.split("\0")) {
    const equals = pair.indexOf("=");
    if (equals > 0) environment[pair.slice(0, equals)] = pair.slice(equals + 1);
  }
  return environment;
}
