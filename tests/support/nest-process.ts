import { join } from "node:path";
import { until } from "./until.ts";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Environment of a machine without keys: what a newcomer has. */
export function bareEnv(
  home: string,
  added: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { PATH: process.env["PATH"] ?? "", HOME: home, ...added };
}

/** Runs a command of Nest's to its end. */
export async function nest(
  args: readonly string[],
  { cwd, env, input = "" }: { cwd: string; env?: Record<string, string>; input?: string },
): Promise<Finished> {
  const child = Bun.spawn([process.execPath, MAIN, ...args], {
    cwd,
    env: env ?? bareEnv(cwd),
    stdin: Buffer.from(input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, stdout, stderr };
}

/** `nest serve` as a process of its own. */
export class NestProcess implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  stdout = "";
  stderr = "";

  constructor(
    args: readonly string[],
    {
      cwd,
      env,
      runtime = [],
      wrapper = [],
    }: {
      cwd: string;
      env?: Record<string, string>;
      runtime?: readonly string[];
      wrapper?: readonly string[];
    },
  ) {
    this.#child = Bun.spawn([...wrapper, process.execPath, ...runtime, MAIN, ...args], {
      cwd,
      env: env ?? bareEnv(cwd),
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    void this.#read(this.#child.stdout, (text) => (this.stdout += text));
    void this.#read(this.#child.stderr, (text) => (this.stderr += text));
  }

  get pid(): number {
    return this.#child.pid;
  }

  get exitCode(): number | null {
    return this.#child.exitCode;
  }

  /** Where it listens, once it does. */
  async url(): Promise<string> {
    return until("Nest listens", () => {
      if (this.#child.exitCode !== null) throw new Error(`Nest ended: ${this.stderr}`);
      return /listening\s+(http:\S+)/.exec(this.stdout)?.[1];
    });
  }

  /** The token that a first start printed. */
  get token(): string {
    return /^\s*token\s+(\S+)$/m.exec(this.stdout)?.[1] ?? "";
  }

  /** Log lines of one event (JSON format). */
  logged(event: string): Record<string, unknown>[] {
    return this.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line["event"] === event);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  async exited(): Promise<number> {
    return this.#child.exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill("SIGTERM");
    await this.#child.exited;
  }

  async #read(stream: ReadableStream<Uint8Array>, onText: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) onText(decoder.decode(chunk, { stream: true }));
  }
}

/** Pids of the running processes whose command line contains `text`. */
export async function processesWith(text: string): Promise<number[]> {
  const found: number[] = [];
  for await (const name of new Bun.Glob("[0-9]*").scan({ cwd: "/proc", onlyFiles: false })) {
    try {
      const line = await Bun.file(`/proc/${name}/cmdline`).text();
      if (line.includes(text) && Number(name) !== process.pid) found.push(Number(name));
    } catch {
      // Gone in the meantime.
    }
  }
  return found;
}
