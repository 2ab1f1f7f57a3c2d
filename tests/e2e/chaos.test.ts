import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { readSegment } from "../../src/agent/segment.ts";
import { attachSince, type Frame } from "../support/attach-client.ts";
import { FaithfulClient } from "../support/faithful-client.ts";
import { TOKEN } from "../support/gateway.ts";
import { NestHome } from "../support/nest-home.ts";
import { randomFrom } from "../support/random.ts";
import { until } from "../support/until.ts";

/** `NEST_CHAOS_ROUNDS=200 NEST_CHAOS_SEED=7 bun test tests/e2e/chaos.test.ts` goes on for longer, or elsewhere. */
const ROUNDS = Number(process.env["NEST_CHAOS_ROUNDS"] ?? 8);
const SEED = Number(process.env["NEST_CHAOS_SEED"] ?? 1);

/** What a round waits for before something is killed. */
const MOMENTS = [
  "none",
  "prompt_accepted",
  "prompt_begun",
  "message_update",
  "tool_execution_start",
  "tool_execution_end",
];

test(
  `${ROUNDS} rounds (seed ${SEED}) of kill -9 to Nest, pi and clients: every client has the whole journal, every prompt ran once or is marked`,
  async () => {
    const random = randomFrom(SEED);
    const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)] as T;
    await using home = new NestHome();
    let host = await home.start();
    const clients = [new FaithfulClient(), new FaithfulClient(), new FaithfulClient()];
    const connectAll = () => Promise.all(clients.map((client) => client.connect(host)));
    await connectAll();
    const keys: string[] = [];

    const toPi = (signal: NodeJS.Signals) => {
      const pid = home.nest.logged("agent_ready").at(-1)?.["pid"];
      try {
        if (typeof pid === "number") process.kill(pid, signal);
      } catch {
        // It has gone by itself.
      }
      return pid as number | undefined;
    };
    /** Looks for a while, which the seed chooses, and goes on whether it came true or not. */
    const forAWhile = async (condition: () => boolean) => {
      let looks = Math.floor(random() * 200);
      await until("the moment", () => {
        for (const client of clients) client.take();
        return condition() || --looks < 0;
      });
    };
    const killNest = async () => {
      await home.kill();
      host = await home.start();
      await connectAll();
    };
    const events = {
      nest: killNest,
      pi: async () => void toPi("SIGKILL"),
      both: async () => {
        toPi("SIGKILL");
        await killNest();
      },
      /** Nest sees nothing of what pi does before both end. */
      blind: async () => {
        home.nest.signal("SIGSTOP");
        const ran = home.vault("runs");
        await forAWhile(() => home.vault("runs") !== ran);
        await killNest();
      },
      /** The old pi would go on beside the new one. */
      frozenPi: async () => {
        const old = toPi("SIGSTOP");
        await killNest();
        await forAWhile(() => home.nest.logged("agent_ready").length > 0);
        try {
          if (old !== undefined) process.kill(old, "SIGCONT");
        } catch {
          // It was ended.
        }
      },
      nestTwice: async () => {
        await home.kill();
        await home.start();
        await killNest();
      },
      client: async () => {
        const client = pick(clients);
        client.drop();
        await client.connect(host);
      },
      stop: async () => {
        await home.stop();
        host = await home.start();
        await connectAll();
      },
    };

    for (let round = 0; round < ROUNDS; round++) {
      for (const client of clients) {
        if (random() < 0.3) continue;
        const key = `k${keys.length}`;
        keys.push(key);
        const tool = `@tool bash ${JSON.stringify({ command: `echo ${key} >> runs` })}`;
        client.prompt(key, random() < 0.5 ? tool : `${tool}\n@say ${"word ".repeat(60)}`);
      }
      // At a moment that the seed chooses: after so many events of a kind, or at once.
      const kind = pick(MOMENTS);
      const since = (clients[0] as FaithfulClient).seq;
      const count = 1 + Math.floor(random() * 3);
      await forAWhile(() =>
        clients.some(
          ({ history }) =>
            history.filter(
              ({ seq, event }) => (seq as number) > since && (event as Frame).type === kind,
            ).length >= count,
        ),
      );
      await events[pick(Object.keys(events) as (keyof typeof events)[])]();
    }

    // Calm again: everybody hears what became of everything.
    await connectAll();
    await Promise.all(clients.map((client) => client.settled()));
    const reader = new FaithfulClient();
    await reader.connect(host);
    await until(
      "all runs are over",
      async () => {
        reader.take();
        const begun = reader.history.filter(({ event }) => event["type"] === "prompt_begun").length;
        await using probe = await attachSince(`ws://${host}/attach`, TOKEN, reader.seq);
        const { state, seq } = (await probe.ofType("attached")) as { state?: string; seq?: number };
        return state === "idle" && seq === reader.seq && isSettled(reader) && begun >= 0;
      },
      60_000,
    );
    for (const client of clients) {
      await until("it has caught up", () => {
        client.take();
        return client.seq === reader.seq;
      });
      expect(client.faults).toEqual([]);
      expect(client.history).toEqual(reader.history);
    }
    expect(reader.faults).toEqual([]);

    const runs = home.vault("runs").split("\n");
    const marked = new Set(
      reader.history
        .filter(({ event }) => event["type"] === "prompt_interrupted")
        .map(({ event }) => event["key"]),
    );
    for (const key of keys) {
      const ran = runs.filter((line) => line === key).length;
      expect({ key, once: ran === 1 || (ran === 0 && marked.has(key)), ran }).toMatchObject({
        key,
        once: true,
      });
    }
    const accepted = reader.history.filter(({ event }) => event["type"] === "prompt_accepted");
    expect(new Set(accepted.map(({ event }) => event["key"])).size).toBe(keys.length);

    expect(await home.stop()).toBe(0);
    expect(await home.agents()).toEqual([]);
    const dir = join(home.dir, "sessions", "default", "journal");
    for (const name of readdirSync(dir)) {
      expect(readSegment(join(dir, name))).toMatchObject({ tornBytes: 0, isDamaged: false });
    }
    expect(home.logged("journal_damaged")).toEqual([]);
  },
  60_000 + ROUNDS * 15_000,
);

/** Everything accepted has begun, was refused, dropped or marked. */
function isSettled({ history }: FaithfulClient): boolean {
  const open = new Set<string>();
  for (const { event } of history) {
    const { type, prompt } = event as { type: string; prompt?: string };
    if (type === "prompt_accepted") open.add(prompt as string);
    else if (type.startsWith("prompt_")) open.delete(prompt as string);
  }
  return open.size === 0;
}
