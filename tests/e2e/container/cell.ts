import { chmodSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { until } from "../../support/until.ts";
import type { World } from "./world.ts";

const SCRIPT = join(import.meta.dir, "cell.sh");
const REPOSITORY = resolve(import.meta.dir, "..", "..", "..");

/** The capabilities that compose.yaml gives. */
const CAPABILITIES = ["net_admin", "setpcap", "setuid", "setgid"];

export interface CellOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly capabilities?: readonly string[];
  /** Shell code as root before the start; `$root` is where the cell's files are. */
  readonly before?: string;
  readonly command?: readonly string[];
  /** In a network of its own that leads nowhere, so that it is in nobody's way. */
  readonly isAlone?: boolean;
}

/** The entrypoint at work in the world's box, without an engine: cell.sh tells how. */
export class Cell implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #world: World;
  output = "";

  constructor(
    world: World,
    /** Kept between cells, as volumes are. */
    dir: string,
    {
      env = {},
      capabilities = CAPABILITIES,
      before = "",
      command = ["/opt/nest/container/entrypoint.sh", "serve", "--demo"],
      isAlone = false,
    }: CellOptions = {},
  ) {
    this.#world = world;
    mkdirSync(dir, { recursive: true });
    chmodSync(dir, 0o755);
    // Ends with the test process, whatever happens: --kill-child takes everything in it along.
    this.#child = Bun.spawn(
      [
        "nsenter",
        `--net=${world.netns("box")}`,
        "unshare",
        "--mount",
        "--pid",
        ...(isAlone ? ["--net"] : []),
        "--fork",
        "--kill-child",
        SCRIPT,
        dir,
        REPOSITORY,
        process.execPath,
        capabilities.map((name) => `,+${name}`).join(""),
        ...command,
      ],
      {
        env: { PATH: process.env["PATH"] ?? "", NEST_NIX: "off", ...env, CELL_BEFORE: before },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: 60_000,
        killSignal: "SIGKILL",
      },
    );
    for (const stream of [this.#child.stdout, this.#child.stderr]) void this.#read(stream);
  }

  /** Waits until Nest listens. */
  async started(): Promise<this> {
    await until("Nest listens in the cell", () => {
      if (this.#child.exitCode !== null) throw new Error(`the cell ended: ${this.output}`);
      return this.output.includes('"event":"started"');
    });
    return this;
  }

  /** Waits for the end and returns the exit code. */
  async ended(): Promise<number> {
    const code = await this.#child.exited;
    await Bun.sleep(0);
    return code;
  }

  get token(): string {
    return /token +(nest_\S+)/.exec(this.output)?.[1] ?? "";
  }

  /** The pid of Nest as this machine counts: the child of tini, which is the child of what was started here. */
  async nestPid(): Promise<number> {
    const tini = await childOf(this.#child.pid);
    return await childOf(tini);
  }

  /** Runs a program as the agent's user, in the cell's namespaces and files, with no new privileges. */
  asAgent(argv: readonly string[], pid: number): Promise<{ code: number; output: string }> {
    return this.#enter(pid, [
      "setpriv",
      "--reuid=1000",
      "--regid=1000",
      "--clear-groups",
      "--no-new-privs",
      ...argv,
    ]);
  }

  async #enter(pid: number, argv: readonly string[]): Promise<{ code: number; output: string }> {
    const child = Bun.spawn(
      [
        "nsenter",
        `--net=${this.#world.netns("box")}`,
        "-t",
        String(pid),
        "--mount",
        "--pid",
        "--root",
        "--wd",
        ...argv,
      ],
      {
        env: { PATH: "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/home/agent" },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
        timeout: 20_000,
        killSignal: "SIGKILL",
      },
    );
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { code: await child.exited, output: stdout + stderr };
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.output += decoder.decode(chunk, { stream: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      // The first process of the namespace: with it goes all that is in it, and only then unshare ends (pid_namespaces(7)).
      await childOf(this.#child.pid).then(
        (first) => process.kill(first, "SIGKILL"),
        () => this.#child.kill("SIGKILL"),
      );
    }
    await this.#child.exited;
  }
}

/** The one child of a process. */
async function childOf(pid: number): Promise<number> {
  const path = `/proc/${pid}/task/${pid}/children`;
  const children = (await Bun.file(path).text()).trim().split(" ").map(Number);
  const [child = 0] = children;
  if (children.length !== 1 || child === 0)
    throw new Error(`expected one child of ${pid}, found ${children.join()}`);
  return child;
}
