import { cpuUs } from "./cpu-time.ts";
import type { Lab, Server } from "./lab.ts";
import { CannotBench } from "./options.ts";
import { pinned } from "./pinning.ts";

/** Connections held open by wrk, count: enough that the server always has one to serve. */
export const CONNECTIONS = 32;

const program = Bun.which("wrk");

/** @throws {CannotBench} without wrk: a client on Bun would be slower than what it measures */
export function requireWrk(): void {
  if (program === null) {
    throw new CannotBench(
      "Cannot measure HTTP: wrk is missing. Install it: apt-get install -y wrk (Debian, Ubuntu), brew install wrk (macOS)",
    );
  }
}

export interface Load {
  readonly server: Server;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  readonly seconds: number;
}

export interface Throughput {
  /** Requests in a second of the clock on the wall. */
  readonly perSecond: number;
  /**
   * CPU time of the server for each request, µs; without the kernel's help the time that passed, which is the same on
   * a machine where nobody else takes from the server's core.
   */
  readonly cpuUs: number;
}

/**
 * @throws {Error} if wrk met socket errors, or answers of another kind than expected
 */
export async function load(
  lab: Lab,
  { server, path, headers, status, seconds }: Load,
): Promise<Throughput> {
  const url = server.url + path;
  requireWrk();
  const own = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const argv = [program ?? "wrk", "-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, ...own, url];
  const beforeUs = cpuUs(server.pid);
  const child = lab.own(
    Bun.spawn(pinned("client", argv), { stdin: "ignore", stdout: "pipe", stderr: "ignore" }),
  );
  const text = await child.stdout.text();
  await child.exited;
  const usedUs = (cpuUs(server.pid) ?? Number.NaN) - (beforeUs ?? Number.NaN);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(text)?.[1]);
  const requests = Number(/(\d+) requests in/.exec(text)?.[1]);
  const refused = Number(/Non-2xx or 3xx responses: (\d+)/.exec(text)?.[1] ?? 0);
  const expected = status >= 400 ? requests : 0;
  if (!(perSecond > 0) || text.includes("Socket errors") || refused !== expected) {
    throw new Error(`Cannot measure ${url}: wrk says\n${text}`);
  }
  return { perSecond, cpuUs: (Number.isNaN(usedUs) ? 1e6 * seconds : usedUs) / requests };
}
