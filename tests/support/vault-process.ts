import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TOKEN } from "./gateway.ts";
import { NestProcess } from "./nest-process.ts";

/** Nest as a process of its own, on the vault in a folder of the test's: to be killed, or to be measured. */
export class VaultProcess implements AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly #nest: NestProcess;

  private constructor(nest: NestProcess, url: string) {
    this.#nest = nest;
    this.url = url;
    this.port = Number(new URL(url).port);
  }

  static async start(dir: string): Promise<VaultProcess> {
    const file = join(dir, "config.yaml");
    writeFileSync(file, `server:\n  port: 0\n  token: ${TOKEN}\n`);
    const nest = new NestProcess(["serve", "--config", file, "--demo"], { cwd: dir });
    try {
      return new VaultProcess(nest, await nest.url());
    } catch (error) {
      await nest[Symbol.asyncDispose]();
      throw error;
    }
  }

  async kill(): Promise<void> {
    this.#nest.signal("SIGKILL");
    await this.#nest.exited();
  }

  /** Open descriptors, sockets too. */
  get descriptors(): number {
    return readdirSync(`/proc/${this.#nest.pid}/fd`).length;
  }

  /** Memory now, bytes. */
  get residentBytes(): number {
    return this.#status("VmRSS");
  }

  /** The most memory since {@link forgetPeak}, bytes. */
  get peakBytes(): number {
    return this.#status("VmHWM");
  }

  /** proc_pid_clear_refs(5): 5 sets the peak to what is resident now. */
  forgetPeak(): void {
    writeFileSync(`/proc/${this.#nest.pid}/clear_refs`, "5");
  }

  #status(key: string): number {
    const status = readFileSync(`/proc/${this.#nest.pid}/status`, "utf8");
    return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#nest[Symbol.asyncDispose]();
  }
}
