import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.ts";

/** A namespace in which a folder is a file system of its own, small enough to be filled. */
export class SmallDisk implements AsyncDisposable {
  readonly #holder: Bun.Subprocess<"ignore", "pipe", "pipe">;
  readonly #folder: string;
  /** Runs a program inside. */
  readonly wrapper: readonly string[];

  /**
   * @param folder - made if absent
   * @param spared - folders in it that stay on the large disk
   */
  constructor(folder: string, bytes: number, spared: readonly string[], aside: string) {
    mkdirSync(folder, { recursive: true });
    const lines = [`mount -t tmpfs -o size=${bytes} tmpfs ${folder}`];
    for (const [i, name] of spared.entries()) {
      mkdirSync(join(aside, String(i)), { recursive: true });
      lines.push(`mkdir ${join(folder, name)}`);
      lines.push(`mount --bind ${join(aside, String(i))} ${join(folder, name)}`);
    }
    lines.push("echo ready", "exec sleep infinity");
    this.#folder = folder;
    this.#holder = Bun.spawn(["unshare", "-rm", "sh", "-ec", lines.join("\n")], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const { pid } = this.#holder;
    this.wrapper = ["nsenter", "-t", String(pid), "-U", "-m", "--preserve-credentials", "--"];
  }

  /** Settles when it can be used. */
  async ready(): Promise<void> {
    const reader = this.#holder.stdout.getReader();
    const { done } = await reader.read();
    if (done) throw new Error(await this.#holder.stderr.text());
  }

  /** Writes until nothing more is taken. */
  fill(): void {
    const fd = openSync(this.#inside("ballast"), "w");
    try {
      for (const bytes of [65_536, 4096, 1]) {
        try {
          for (;;) if (writeSync(fd, Buffer.alloc(bytes)) !== bytes) break;
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
        }
      }
    } finally {
      closeSync(fd);
    }
  }

  free(): void {
    rmSync(this.#inside("ballast"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#holder.kill("SIGKILL");
    await until("the namespace's holder is gone", () => this.#holder.exitCode !== undefined);
    await this.#holder.exited;
  }

  #inside(name: string): string {
    return join(`/proc/${this.#holder.pid}/root`, this.#folder, name);
  }
}

/** Namespaces of one's own: where an ordinary user may not make them, nor root, there is nothing to test with. */
export const canMount =
  Bun.spawnSync(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).exitCode === 0;
