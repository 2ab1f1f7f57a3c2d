import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Nest ends by itself within 10 s (contract section 1); what takes longer is cut off. Milliseconds. */
const STOP_LIMIT_MS = 11_000;
/** Longest wait for a server's first line, ms. */
const START_LIMIT_MS = 30_000;

/** A server in a process of its own. */
export interface Server {
  readonly url: string;
  readonly pid: number;
}

/** Everything of a run that must not outlive it: processes and temporary folders. */
export class Lab implements AsyncDisposable {
  readonly #children = new Set<Bun.Subprocess>();
  readonly #dirs: string[] = [];
  #disposed: Promise<void> | undefined;

  /** A folder that is removed at the end. */
  dir(): string {
    this.#checkOpen();
    const path = mkdtempSync(join(tmpdir(), "nest-bench-"));
    this.#dirs.push(path);
    return path;
  }

  /** Notes a process, which is ended at the end. */
  own<T extends Bun.Subprocess>(child: T): T {
    if (this.#disposed !== undefined) child.kill("SIGKILL");
    this.#checkOpen();
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
    return child;
  }

  /**
   * Starts a server and waits until it prints its URL.
   *
   * @param env - the whole environment: nothing of ours leaks into what is measured
   * @throws {Error} if it ends first or says nothing in time
   */
  async serve(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<Server> {
    // A file, not a pipe: nobody need read it, and nothing waits for us.
    const errors = Bun.file(join(this.dir(), "stderr"));
    const child = this.own(
      Bun.spawn([...argv], { env: { ...env }, stdin: "ignore", stdout: "pipe", stderr: errors }),
    );
    const timer = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
    const decoder = new TextDecoder();
    let said = "";
    const reader = child.stdout.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        clearTimeout(timer);
        throw new Error(
          `Cannot start "${argv.join(" ")}": it said "${said}${await errors.text()}"`,
        );
      }
      said += decoder.decode(value, { stream: true });
      const url = /http:\/\/127\.0\.0\.1:\d+(?=\s)/.exec(said)?.[0];
      if (url === undefined) continue;
      clearTimeout(timer);
      // Read on, so that nothing it says later can block it.
      void (async () => {
        while (!(await reader.read()).done);
      })();
      return { url, pid: child.pid };
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  /** A signal may come while more is being started. */
  #checkOpen(): void {
    if (this.#disposed !== undefined) throw new Error("Cannot start more: the bench is ending");
  }

  async #dispose(): Promise<void> {
    const children = [...this.#children];
    for (const child of children) child.kill("SIGTERM");
    const timer = setTimeout(() => {
      for (const child of children) child.kill("SIGKILL");
    }, STOP_LIMIT_MS);
    await Promise.all(children.map((child) => child.exited));
    clearTimeout(timer);
    for (const dir of this.#dirs) rmSync(dir, { recursive: true, force: true });
  }
}
