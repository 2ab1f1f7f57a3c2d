import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Nest ends by itself within 10 s (contract section 1); what takes longer is cut off. Milliseconds. */
const STOP_LIMIT_MS = 11_000;
/** Longest wait for a server's first line, ms. */
const START_LIMIT_MS = 30_000;

/** Everything of a run that must not outlive it: processes and temporary folders. */
export class Lab implements AsyncDisposable {
  readonly #children = new Set<Bun.Subprocess>();
  readonly #dirs: string[] = [];
  #disposed: Promise<void> | undefined;

  /** A folder that is removed at the end. */
  dir(): string {
    const path = mkdtempSync(join(tmpdir(), "nest-bench-"));
    this.#dirs.push(path);
    return path;
  }

  /** Notes a process, which is ended at the end. */
  own<T extends Bun.Subprocess>(child: T): T {
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
    return child;
  }

  /**
   * Starts a server and waits for the URL it prints.
   *
   * @param env - the whole environment: nothing of ours leaks into what is measured
   * @throws {Error} if it ends first or says nothing in time
   */
  async serve(argv: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
    const child = this.own(
      Bun.spawn([...argv], { env: { ...env }, stdin: "ignore", stdout: "pipe", stderr: "ignore" }),
    );
    const timer = setTimeout(() => child.kill("SIGKILL"), START_LIMIT_MS);
    const decoder = new TextDecoder();
    let said = "";
    const reader = child.stdout.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done)
        throw new Error(`Cannot start "${argv.join(" ")}": it ended, having said "${said}"`);
      said += decoder.decode(value, { stream: true });
      const url = /http:\/\/127\.0\.0\.1:\d+(?=\s)/.exec(said)?.[0];
      if (url === undefined) continue;
      clearTimeout(timer);
      // Read on, so that nothing it says later can block it.
      void (async () => {
        while (!(await reader.read()).done);
      })();
      return url;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
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
