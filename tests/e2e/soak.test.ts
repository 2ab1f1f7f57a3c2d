import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { Crowd } from "../bench/crowd.ts";
import { attach } from "../support/attach-client.ts";
import { TOKEN } from "../support/gateway.ts";
import { NestHome } from "../support/nest-home.ts";
import { until } from "../support/until.ts";

/** `NEST_SOAK_SECONDS=600 bun test tests/e2e/soak.test.ts` for the long one. */
const SECONDS = Number(
  process.env["NEST_SOAK_SECONDS"] ?? (process.env["CI"] === undefined ? 10 : 60),
);
const SOCKETS = 1000;
/** `fake-pi.ts` paces its events 5 ms apart: 200 a second. */
const PER_SECOND = 200;

const residentMiB = (pid: number) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
const descriptors = (pid: number) => readdirSync(`/proc/${pid}/fd`).length;

test(
  `${SOCKETS} sockets and ${PER_SECOND} events a second for ${SECONDS} s: all get all, memory is flat after the warm-up, no descriptor stays`,
  async () => {
    const fakePi = join(import.meta.dir, "..", "bench", "fake-pi.ts");
    await using home = new NestHome({ agent: { command: [process.execPath, fakePi] } });
    const host = await home.start();
    const { pid } = home.nest;
    await using one = await attach(`ws://${host}/attach`, TOKEN);
    const before = descriptors(pid);
    const crowd = new Crowd();
    const authorization = `Authorization: Bearer ${TOKEN}\r\n`;
    await crowd.join({ url: `http://${host}` }, "/attach", authorization, '"attached"', SOCKETS);
    const run = async (seconds: number) => {
      const all = crowd.all('"agent_settled"', seconds * 10_000 + 60_000);
      const message = `paced ${PER_SECOND * seconds}`;
      one.send({ id: message, type: "prompt", message });
      await all;
    };
    // The heap finds its size, and the journal's newest events in memory are as many as they will be.
    await run(Math.max(5, SECONDS / 4));
    const warm = residentMiB(pid);
    await run(SECONDS);
    expect(residentMiB(pid) - warm).toBeLessThan(48);
    expect(home.logged("socket_too_slow")).toEqual([]);
    crowd.close();
    await until("all descriptors are closed", () => descriptors(pid) <= before + 2);
  },
  120_000 + SECONDS * 15_000,
);
