import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { digestOf } from "../../src/auth/authenticator.ts";
import { TOKEN } from "../support/gateway.ts";
import { bareEnv } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";
import type { Edit } from "./mutants.ts";

const ROOT = join(import.meta.dir, "..", "..");

export interface AuditRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As `nest audit --json` says it. */
export interface AuditReport {
  readonly schema: number;
  readonly summary: Readonly<Record<"held" | "fell" | "skipped" | "failed", number>>;
  readonly checks: readonly {
    readonly id: string;
    readonly outcome: string;
    readonly details: readonly string[];
  }[];
}

/** A Nest of its own process with a config in which nothing falls, and the audit of the very same code. */
export class AuditedNest implements AsyncDisposable {
  readonly #dir = tempDir();
  readonly dir = this.#dir.path;
  readonly #main: string;
  #child: Bun.Subprocess<"ignore", "pipe", "pipe"> | undefined;
  #said = "";
  url = "";

  /** @param edits - sabotages, done to a copy of the code in which it and its audit then run */
  constructor(edits: readonly Edit[] = [], server: Readonly<Record<string, unknown>> = {}) {
    this.#main = join(edits.length === 0 ? ROOT : this.#copy(edits), "src/main.ts");
    writeFileSync(join(this.dir, "secret"), "a-long-random-secret-shared-with-the-sender\n", {
      mode: 0o600,
    });
    this.configure({
      server: {
        port: 0,
        token: `sha256:${digestOf(TOKEN).toHex()}`,
        cors: { origin: ["https://notes.example.org", "https://other.example.org"] },
        ...server,
      },
      webhooks: { sources: { github: { secret: "file:secret", verify: "github" } } },
    });
  }

  get config(): string {
    return join(this.dir, "config.yaml");
  }

  configure(config: unknown): void {
    writeFileSync(this.config, stringify(config), { mode: 0o600 });
    chmodSync(this.config, 0o600);
  }

  async start(): Promise<this> {
    const child = Bun.spawn(
      [process.execPath, this.#main, "serve", "--demo", "--config", this.config],
      {
        cwd: this.dir,
        env: bareEnv(this.dir, { PI_OFFLINE: "1" }),
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      void (async () => {
        for await (const chunk of stream) this.#said += new TextDecoder().decode(chunk);
      })();
    }
    this.url = await until("Nest listens", () => {
      if (child.exitCode !== null) throw new Error(`Nest ended: ${this.#said}`);
      return /listening\s+(http:\S+)/.exec(this.#said)?.[1]?.replace("0.0.0.0", "127.0.0.1");
    });
    return this;
  }

  /** `nest audit` with a server and its config. */
  async audit(...args: readonly string[]): Promise<AuditRun> {
    return this.run("audit", this.url, "--config", this.config, ...args);
  }

  /** An audit that is stopped as soon as `isTime` says so. */
  async stopped(isTime: () => boolean | Promise<boolean>): Promise<number> {
    const child = Bun.spawn(
      [process.execPath, this.#main, "audit", this.url, "--config", this.config],
      {
        cwd: this.dir,
        env: bareEnv(this.dir, { NEST_TOKEN: TOKEN }),
        stdin: "ignore",
        stdout: "ignore",
        stderr: "ignore",
      },
    );
    await until("it is time to stop the audit", isTime);
    child.kill("SIGTERM");
    return child.exited;
  }

  async run(...args: readonly string[]): Promise<AuditRun> {
    const child = Bun.spawn([process.execPath, this.#main, ...args], {
      cwd: this.dir,
      env: bareEnv(this.dir, { NEST_TOKEN: TOKEN }),
      stdin: "ignore",
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

  async report(...args: readonly string[]): Promise<AuditReport> {
    const { stdout, stderr } = await this.audit("--json", ...args);
    if (stdout === "") throw new Error(`no report: ${stderr}`);
    return JSON.parse(stdout) as AuditReport;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    if (child !== undefined && child.exitCode === null) {
      child.kill("SIGTERM");
      await child.exited;
    }
    this.#dir[Symbol.dispose]();
  }

  #copy(edits: readonly Edit[]): string {
    const copy = join(this.dir, "code");
    mkdirSync(copy);
    for (const name of ["src", "package.json", "bunfig.toml", "tsconfig.json"])
      cpSync(join(ROOT, name), join(copy, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
    for (const { file, find, replace } of edits) {
      const path = join(copy, "src", file);
      const parts = readFileSync(path, "utf8").split(find);
      if (parts.length !== 2)
        throw new Error(`${file}: expected once, found ${parts.length - 1} times: ${find}`);
      writeFileSync(path, parts.join(replace));
    }
    return copy;
  }
}

/** As root the audit rightly says that Nest runs as root. */
export const AS_ROOT = process.getuid?.() === 0 ? ["--skip", "machine.user"] : [];
