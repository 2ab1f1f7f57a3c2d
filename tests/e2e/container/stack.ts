import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { until } from "../../support/until.ts";
import type { ClientJob, ClientResult } from "./client.ts";
import type { Engine } from "./engine.ts";
import type { Ran } from "./run.ts";
import type { Place, World } from "./world.ts";

const REPOSITORY = resolve(import.meta.dir, "..", "..", "..");
const CLIENT = join(import.meta.dir, "client.ts");

/** The shipped compose file, up: a folder with it, the Caddyfile and an owner's .env. */
export class Stack implements AsyncDisposable {
  readonly dir: string;
  readonly #engine: Engine;
  readonly #world: World;
  readonly #env: Readonly<Record<string, string>>;
  /** Certificate of Caddy's own authority. */
  readonly caFile: string;
  /** From `up` to Caddy's start, which waits for Nest's health. */
  upMs = 0;
  token = "";

  private constructor(
    dir: string,
    engine: Engine,
    world: World,
    env: Readonly<Record<string, string>>,
  ) {
    this.#env = env;
    this.dir = dir;
    this.#engine = engine;
    this.#world = world;
    this.caFile = join(dir, "ca.crt");
    mkdirSync(join(dir, "container"), { recursive: true });
    copyFileSync(join(REPOSITORY, "compose.yaml"), join(dir, "compose.yaml"));
    copyFileSync(join(REPOSITORY, "container", "Caddyfile"), join(dir, "container", "Caddyfile"));
  }

  static async start(
    dir: string,
    engine: Engine,
    world: World,
    env: Readonly<Record<string, string>>,
  ): Promise<Stack> {
    const stack = new Stack(dir, engine, world, env);
    const startedMs = performance.now();
    await stack.up();
    stack.upMs = performance.now() - startedMs;
    stack.token = /token +(nest_\S+)/.exec(await stack.logs("nest"))?.[1] ?? "";
    await until("Caddy has its authority", async () => {
      const { code } = await engine.docker([
        "cp",
        "nest-caddy-1:/data/caddy/pki/authorities/local/root.crt",
        stack.caFile,
      ]);
      return code === 0;
    });
    await stack.serves();
    return stack;
  }

  /** Waits until Nest answers through Caddy. */
  async serves(): Promise<void> {
    await until("Nest answers through Caddy", async () =>
      (await this.curl("lan", ["/health"])).includes("ok"),
    );
  }

  /** What an owner does, with more lines in .env if need be. */
  async up(more: Readonly<Record<string, string>> = {}): Promise<void> {
    const lines = Object.entries({ ...this.#env, ...more }).map(
      ([name, value]) => `${name}=${value}\n`,
    );
    writeFileSync(join(this.dir, ".env"), lines.join(""));
    await this.compose(["up", "--detach", "--no-build"], 120_000);
  }

  async compose(args: readonly string[], timeoutMs = 60_000): Promise<string> {
    return this.#engine.must(["compose", "--ansi=never", ...args], { cwd: this.dir, timeoutMs });
  }

  async logs(service: string): Promise<string> {
    const { stdout, stderr } = await this.#engine.docker(["logs", `nest-${service}-1`]);
    return stdout + stderr;
  }

  /** Runs a program in Nest's container as the agent's user. */
  asAgent(argv: readonly string[], input = ""): Promise<Ran> {
    return this.#engine.docker(["exec", "-i", "-u", "agent", "nest-nest-1", ...argv], { input });
  }

  /** Puts a file into the vault, as the agent would. */
  async put(name: string, text: string): Promise<void> {
    const { code, stderr } = await this.asAgent(["sh", "-c", `cat >/vault/${name}`], text);
    if (code !== 0) throw new Error(stderr);
  }

  /** A request through Caddy; a path means nest.test. Prints the body. */
  async curl(place: Place, args: readonly string[]): Promise<string> {
    const words = args.map((arg) => (arg.startsWith("/") ? `https://nest.test${arg}` : arg));
    const { stdout } = await this.#world.run(place, [
      "curl",
      "-sg",
      "--max-time",
      "10",
      "--cacert",
      this.caFile,
      ...words,
    ]);
    return stdout;
  }

  /** Only the status. */
  status(place: Place, args: readonly string[]): Promise<string> {
    return this.curl(place, ["-o", "/dev/null", "-w", "%{http_code}", ...args]);
  }

  async attach(place: Place, job: Omit<ClientJob, "url" | "caFile">): Promise<ClientResult> {
    const { stdout, stderr } = await this.#world.run(place, [process.execPath, CLIENT], {
      input: JSON.stringify({ ...job, url: "wss://nest.test/attach", caFile: this.caFile }),
      timeoutMs: 70_000,
    });
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as ClientResult;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.docker(["compose", "down", "--volumes", "--timeout", "10"], {
      cwd: this.dir,
    });
  }
}
