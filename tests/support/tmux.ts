import { readFileSync } from "node:fs";
import { until } from "./until.ts";

/** True where tests can drive a terminal. */
export const HAS_TMUX = Bun.which("tmux") !== null;

export interface TmuxOptions {
  readonly width: number;
  readonly height: number;
  readonly cwd: string;
  /** Of the program; handed on by the environment, never by arguments. */
  readonly env: Readonly<Record<string, string>>;
}

/** A program on a terminal of its own, with a tmux server of its own. */
export class TmuxPane implements AsyncDisposable {
  readonly #socket = `nest-test-${crypto.randomUUID()}`;
  readonly #started: number[];

  constructor(argv: readonly string[], { width, height, cwd, env }: TmuxOptions) {
    const size = ["-x", String(width), "-y", String(height)];
    const { success, stderr } = Bun.spawnSync(
      ["tmux", "-L", this.#socket, "-f", "/dev/null", "new-session", "-d", ...size, ...argv],
      { cwd, env: { ...env, TERM: "xterm-256color", LANG: "C.UTF-8", PATH: process.env["PATH"]! } },
    );
    if (!success) throw new Error(`tmux: ${stderr.toString()}`);
    // The pane stays when its program ends, and takes what programs may do to a clipboard.
    this.run("set-option", "-g", "remain-on-exit", "on");
    this.run("set-option", "-s", "set-clipboard", "on");
    this.#started = [this.pid, Number(this.format("#{pid}"))];
  }

  /** A command of tmux's on this server. */
  run(...args: string[]): string {
    const { stdout } = Bun.spawnSync(["tmux", "-L", this.#socket, ...args], {
      env: { PATH: process.env["PATH"]!, LANG: "C.UTF-8" },
    });
    return stdout.toString();
  }

  get screen(): string {
    return this.run("capture-pane", "-p");
  }

  format(format: string): string {
    return this.run("display-message", "-p", format).trimEnd();
  }

  get pid(): number {
    return Number(this.format("#{pane_pid}"));
  }

  /** Exit code, once it has ended. */
  async ended(): Promise<number> {
    await until("the program ends", () => this.format("#{pane_dead}") === "1");
    return Number(this.format("#{pane_dead_status}"));
  }

  type(text: string): void {
    this.run("send-keys", "-l", text);
  }

  press(...keys: string[]): void {
    this.run("send-keys", ...keys);
  }

  resize(width: number, height: number): void {
    this.run("resize-window", "-x", String(width), "-y", String(height));
  }

  /** The screen, once it holds all of these. */
  async shows(...wanted: (string | RegExp)[]): Promise<string> {
    let screen = "";
    try {
      return await until(`the screen shows ${wanted.join(", ")}`, () => {
        screen = this.screen;
        return wanted.every((text) =>
          typeof text === "string" ? screen.includes(text) : text.test(screen),
        )
          ? screen
          : undefined;
      });
    } catch (error) {
      throw new Error(`${(error as Error).message}\n${screen}`, { cause: error });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // What was started is ended by its own number, whatever it makes of the end of its terminal.
    const all = this.#started.flatMap((pid) => [pid, ...descendantsOf(pid)]);
    this.run("kill-server");
    for (const pid of new Set(all)) {
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // Gone already.
      }
    }
  }
}

function descendantsOf(pid: number): number[] {
  let children: string;
  try {
    children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  } catch {
    return [];
  }
  const pids = children
    .split(" ")
    .filter((text) => text !== "")
    .map(Number);
  return [...pids, ...pids.flatMap(descendantsOf)];
}
