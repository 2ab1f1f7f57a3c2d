import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { MARK } from "../../src/agent/orphans.ts";
import { TOKEN } from "./gateway.ts";
import { bareEnv, NestProcess, processesWith } from "./nest-process.ts";
import { tempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

/** A Nest that is stopped, killed and started again on the same files; each start has a port of its own. */
export class NestHome implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly dir = this.#dir.path;
  #nest: NestProcess | undefined;
  #runs: NestProcess[] = [];
  /** A program and arguments that Nest is started by. */
  wrapper: readonly string[] = [];

  constructor(config: Readonly<Record<string, unknown>> = {}) {
    writeFileSync(
      join(this.dir, "config.yaml"),
      stringify({ ...config, server: { port: 0, token: TOKEN }, log: { format: "json" } }),
    );
  }

  get nest(): NestProcess {
    if (this.#nest === undefined) throw new Error("Nest does not run");
    return this.#nest;
  }

  /** Starts it and returns where it listens, `host:port`. */
  async start(): Promise<string> {
    this.#nest = new NestProcess(["serve", "--demo", "--config", join(this.dir, "config.yaml")], {
      cwd: this.dir,
      env: bareEnv(this.dir, { PI_OFFLINE: "1" }),
      wrapper: this.wrapper,
    });
    this.#runs.push(this.#nest);
    return new URL(await this.#nest.url()).host;
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    this.nest.signal("SIGKILL");
    await this.nest.exited();
  }

  async stop(): Promise<number> {
    this.nest.signal("SIGTERM");
    return this.nest.exited();
  }

  /** Log lines of one event, of all runs. */
  logged(event: string): Record<string, unknown>[] {
    return this.#runs.flatMap((run) => run.logged(event));
  }

  /** Pids of the agents' processes and of all they started. */
  async agents(): Promise<number[]> {
    return processesOf(this.dir);
  }

  vault(name: string): string {
    try {
      return readFileSync(join(this.dir, "vault", name), "utf8");
    } catch {
      return "";
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nest?.[Symbol.asyncDispose]();
    await until("no agent is left", async () => {
      for (const pid of await this.agents()) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // Gone by itself.
        }
      }
      return (await this.agents()).length === 0;
    });
    this.#dir[Symbol.dispose]();
  }
}

/** Marked processes that work in a folder or were started with it. */
async function processesOf(dir: string): Promise<number[]> {
  const found = new Set(await processesWith(`${dir}/sessions`));
  for await (const name of new Bun.Glob("[0-9]*").scan({ cwd: "/proc", onlyFiles: false })) {
    try {
      const env = readFileSync(`/proc/${name}/environ`, "latin1");
      if (env.includes(`${MARK}=`) && env.includes(dir)) found.add(Number(name));
    } catch {
      // Gone in the meantime.
    }
  }
  return [...found];
}
