import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { processesWith } from "../../support/nest-process.ts";
import { until } from "../../support/until.ts";
import { must, type Ran, run, type RunOptions } from "./run.ts";
import type { World } from "./world.ts";

const REPOSITORY = resolve(import.meta.dir, "..", "..", "..");
/** Debian's: newer ones elsewhere on the PATH want an engine of their age. */
const DOCKER = "/usr/bin/docker";

/** What an engine takes: Debian's packages of these names, but for the last three. */
export const ENGINE_NEEDS = [
  "dockerd",
  "containerd",
  "runc",
  "iptables",
  "mmdebstrap",
  "caddy",
  "ip",
  "dnsmasq",
  "curl",
  "python3",
];

/**
 * A real container engine of the test's own, in the world's host, with the image built from the shipped Dockerfile.
 *
 * No registry is needed: the bases are stand-ins, Debian's minimal system in place of `debian`, the Bun that runs the
 * tests, Debian's Caddy. Compose is the next Debian release's, since this one's is too old for the file.
 */
export class Engine implements AsyncDisposable {
  readonly #dir: string;
  readonly #world: World;
  #daemon: Bun.Subprocess | undefined;
  /** How long building the image took, ms. */
  buildMs = 0;

  private constructor(dir: string, world: World) {
    this.#dir = dir;
    this.#world = world;
    mkdirSync(join(dir, "config", "cli-plugins"), { recursive: true });
  }

  static async start(dir: string, world: World): Promise<Engine> {
    const engine = new Engine(dir, world);
    try {
      await engine.#build();
      await engine.#runInWorld();
    } catch (error) {
      await engine[Symbol.asyncDispose]();
      throw error;
    }
    return engine;
  }

  docker(args: readonly string[], options: RunOptions = {}): Promise<Ran> {
    return run([DOCKER, ...args], { timeoutMs: 60_000, ...options, env: this.#env });
  }

  /** As {@link docker}, for what must succeed; returns its output. */
  must(args: readonly string[], options: RunOptions = {}): Promise<string> {
    return must([DOCKER, ...args], { timeoutMs: 60_000, ...options, env: this.#env });
  }

  /** Both streams of a container that is expected to end by itself, with its code. */
  async runToEnd(args: readonly string[]): Promise<{ code: number; output: string }> {
    const { code, stdout, stderr } = await this.docker(["run", "--rm", ...args]);
    return { code, output: stdout + stderr };
  }

  get #env(): Record<string, string> {
    return {
      DOCKER_HOST: `unix://${this.#dir}/socket`,
      DOCKER_CONFIG: join(this.#dir, "config"),
      DOCKER_BUILDKIT: "1",
      PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${process.env["PATH"] ?? ""}`,
    };
  }

  /** The engine on the machine's own network, with no network and no rules of its own, to build. */
  async #build(): Promise<void> {
    const dir = this.#dir;
    const base = join(dir, "base.tar");
    const plugins = join(dir, "plugins");
    // The two fetch packages at the same time. Names of suites, and no mirror: the machine has its own.
    await Promise.all([
      must(
        [
          "mmdebstrap",
          "--quiet",
          "--variant=minbase",
          "--include=ca-certificates",
          "bookworm",
          base,
        ],
        {
          timeoutMs: 180_000,
        },
      ),
      must(
        [
          "mmdebstrap",
          "--quiet",
          "--variant=extract",
          "--include=docker-compose",
          "trixie",
          plugins,
        ],
        {
          timeoutMs: 180_000,
        },
      ),
    ]);
    copyFileSync(
      join(plugins, "usr/libexec/docker/cli-plugins/docker-compose"),
      join(dir, "config", "cli-plugins", "docker-compose"),
    );
    await this.#daemonUp(
      ["unshare", "--mount"],
      ["--bridge=none", "--iptables=false", "--ip-forward=false", "--ip-masq=false"],
    );
    await this.must(["import", base, "stand-in/base"], { timeoutMs: 120_000 });
    const context = join(dir, "stand-ins");
    mkdirSync(context);
    copyFileSync(process.execPath, join(context, "bun"));
    copyFileSync("/usr/bin/caddy", join(context, "caddy"));
    // Where the machine's way to the registries has an authority of its own. The shipped Dockerfile needs nothing of it.
    copyFileSync("/etc/ssl/certs/ca-certificates.crt", join(context, "ca-certificates.crt"));
    writeFileSync(
      join(context, "Dockerfile"),
      `FROM stand-in/base AS debian
COPY ca-certificates.crt /etc/ssl/certs/
ENV NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
FROM scratch AS bun
COPY --chmod=755 bun /usr/local/bin/bun
FROM stand-in/base AS caddy
COPY --chmod=755 caddy /usr/bin/caddy
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
`,
    );
    for (const [target, tag] of this.#bases()) {
      await this.must(["build", "--quiet", "--target", target, "--tag", tag, context], {
        timeoutMs: 120_000,
      });
    }
    const startedMs = performance.now();
    await this.must(["build", "--network=host", "--tag", "nest:local", REPOSITORY], {
      timeoutMs: 240_000,
    });
    this.buildMs = performance.now() - startedMs;
    await this.#daemonDown();
  }

  /** Stand-in targets by the tags that the shipped files name. */
  #bases(): [target: string, tag: string][] {
    const dockerfile = readFileSync(join(REPOSITORY, "Dockerfile"), "utf8");
    const compose = readFileSync(join(REPOSITORY, "compose.yaml"), "utf8");
    const find = (text: string, pattern: RegExp): string => {
      const found = pattern.exec(text)?.[1];
      if (found === undefined) throw new Error(`nothing like ${pattern}`);
      return found;
    };
    return [
      ["debian", find(dockerfile, /^ARG BASE_IMAGE=(\S+)$/m)],
      ["bun", find(dockerfile, /^ARG BUN_IMAGE=(\S+)$/m)],
      ["caddy", find(compose, /^ +image: (caddy:\S+)$/m)],
    ];
  }

  /** The same engine again, as an owner runs it, but in the world. */
  async #runInWorld(): Promise<void> {
    await this.#daemonUp(this.#world.argv("host", []), []);
  }

  async #daemonUp(before: readonly string[], flags: readonly string[]): Promise<void> {
    const dir = this.#dir;
    this.#daemon = Bun.spawn(
      [
        ...before,
        "dockerd",
        ...flags,
        `--data-root=${dir}/data`,
        `--exec-root=${dir}/exec`,
        `--pidfile=${dir}/pid`,
        `--host=unix://${dir}/socket`,
      ],
      {
        env: { ...process.env, PATH: this.#env["PATH"] },
        stdin: "ignore",
        stdout: Bun.file(join(dir, "dockerd.log")),
        stderr: Bun.file(join(dir, "dockerd.log")),
      },
    );
    await until("the engine answers", async () => {
      if (this.#daemon?.exitCode !== null) throw new Error(`dockerd ended: ${this.log()}`);
      return (await this.docker(["version"], { timeoutMs: 5000 })).code === 0;
    });
  }

  /** Builds the image anew from what is there already, as another revision. */
  async rebuild(revision: string): Promise<void> {
    await this.must(
      [
        "build",
        // As the first time, or nothing of it would be taken again.
        "--network=host",
        "--tag",
        "nest:local",
        "--build-arg",
        `NEST_REVISION=${revision}`,
        REPOSITORY,
      ],
      { timeoutMs: 120_000 },
    );
  }

  log(): string {
    return readFileSync(join(this.#dir, "dockerd.log"), "utf8").slice(-3000);
  }

  async #daemonDown(): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = undefined;
    if (daemon === undefined || daemon.exitCode !== null) return;
    daemon.kill("SIGTERM");
    const timer = setTimeout(() => daemon.kill("SIGKILL"), 30_000);
    await daemon.exited;
    clearTimeout(timer);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#daemonDown();
    // What a killed engine leaves behind: everything of it names this folder.
    await until("nothing of the engine runs", async () => {
      const pids = await processesWith(this.#dir);
      for (const pid of pids) {
        try {
          process.kill(pid, "SIGKILL");
        } catch {
          // Gone in the meantime.
        }
      }
      return pids.length === 0;
    });
    await run([
      "sh",
      "-c",
      `grep -o ' ${this.#dir}[^ ]*' /proc/mounts | sort -r | xargs -r umount -l`,
    ]);
  }
}
