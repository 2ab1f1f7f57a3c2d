import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, type Ran, run, type RunOptions } from "./run.ts";
import { until } from "../../support/until.ts";

const SCRIPT = join(import.meta.dir, "world.sh");

export type Place = "host" | "lan" | "meta" | "pub" | "box" | "peer";

/** What the names of the tests stand for, everywhere in the world. */
const HOSTS = "127.0.0.1 localhost\n203.0.113.1 nest.test other.test\n";

/** Network namespaces of the test's own: world.sh tells what is in them. */
export class World implements AsyncDisposable {
  readonly #prefix = `nest${process.pid % 100_000}${Math.random().toString(36).slice(2, 5)}`;
  readonly #dir: string;

  private constructor(dir: string) {
    this.#dir = dir;
    writeFileSync(join(dir, "hosts"), HOSTS);
  }

  static async start(dir: string): Promise<World> {
    const world = new World(dir);
    try {
      await must([SCRIPT, "up", world.#prefix, dir]);
      await until("everybody in the world answers", async () => {
        const answers = await Promise.all([
          world.get("box", "http://10.99.0.2/"),
          world.get("box", "http://169.254.169.254/"),
          world.get("box", "http://public.test/"),
          world.get("box", "http://198.51.100.3/"),
          world.get("box", "http://172.31.200.1:8080/"),
        ]);
        return answers.join() === "lan,meta,pub,peer,host";
      });
    } catch (error) {
      await world[Symbol.asyncDispose]();
      throw error;
    }
    return world;
  }

  /** Path of a namespace, for `nsenter --net=`. */
  netns(place: Place): string {
    return `/run/netns/${this.#prefix}-${place}`;
  }

  /** The program as it would run in that place: its network, the names above, the resolver of the public side. */
  argv(place: Place, argv: readonly string[]): string[] {
    const setUp =
      'mount --bind "$0/hosts" /etc/hosts && echo nameserver 203.0.113.10 >"$0/resolv.conf" && mount --bind "$0/resolv.conf" /etc/resolv.conf && exec "$@"';
    return [
      "nsenter",
      `--net=${this.netns(place)}`,
      "unshare",
      "--mount",
      "sh",
      "-c",
      setUp,
      this.#dir,
      ...argv,
    ];
  }

  run(place: Place, argv: readonly string[], options?: RunOptions): Promise<Ran> {
    return run(this.argv(place, argv), options);
  }

  /** What answers there, or "" if nothing does within 2 s. */
  async get(place: Place, url: string): Promise<string> {
    const { stdout } = await this.run(place, ["curl", "-gsk", "--max-time", "2", url]);
    return stdout;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await run([SCRIPT, "down", this.#prefix, this.#dir]);
  }
}
