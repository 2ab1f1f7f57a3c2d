import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { attach, attachSince } from "../support/attach-client.ts";
import { TOKEN } from "../support/gateway.ts";
import { NestHome } from "../support/nest-home.ts";
import { canMount, SmallDisk } from "../support/small-disk.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const bash = (command: string, rest = "") => `@tool bash ${JSON.stringify({ command })}\n${rest}`;
const url = (host: string) => `ws://${host}/attach`;

/** A Nest whose session is on a disk of 4 MiB; pi's own files are elsewhere. */
async function smallHome() {
  const home = new NestHome();
  const session = join(home.dir, "sessions", "default");
  const disk = new SmallDisk(session, 4 << 20, ["scripted"], join(home.dir, "aside"));
  await disk.ready();
  home.wrapper = disk.wrapper;
  return { home, disk };
}

test.skipIf(!canMount)(
  "a disk that fills up in mid-turn: pi is held, prompts are refused, nothing is lost when it has room again",
  async () => {
    const { home, disk } = await smallHome();
    await using _ = disk;
    await using __ = home;
    await using one = await attach(url(await home.start()), TOKEN);
    one.send({
      id: 1,
      type: "prompt",
      message: bash("until [ -e go ]; do sleep 0.05; done", "@say so much\n@repeat 100"),
    });
    await one.event("tool_execution_start");
    one.send({ id: 2, type: "follow_up", message: bash("echo 2 >> order") });
    expect(await one.reply(2)).toMatchObject({ success: true });
    disk.fill();
    writeFileSync(join(home.dir, "vault", "go"), "");
    await until("the journal is behind", () => home.logged("journal_behind").length > 0);
    one.send({ id: 3, type: "prompt", key: "k3", message: bash("echo 3 >> order") });
    expect(await one.reply(3)).toMatchObject({ success: false, code: "storage_unavailable" });
    one.send({ id: 4, type: "prompt", message: "x".repeat(900_000) });
    expect(await one.reply(4)).toMatchObject({ success: false, code: "storage_unavailable" });
    disk.free();
    await until("it has caught up", () => home.logged("journal_caught_up").length > 0);
    await until(
      "both ran",
      () => one.events.filter(({ event }) => event.type === "prompt_begun").length === 2,
    );
    const third = { type: "prompt", key: "k3", streamingBehavior: "followUp" };
    one.send({ id: 5, ...third, message: bash("echo 3 >> order") });
    await until("the third, too", () => home.vault("order") === "2\n3\n");
    const { seq } = await one.event("agent_settled", one.events.at(-1)?.["seq"]);
    await using again = await attachSince(url(new URL(one.socket.url).host), TOKEN, 0);
    await again.event("agent_settled", seq - 1);
    expect(again.events.slice(0, one.events.length)).toEqual(one.events);
    expect(one.events.map((frame) => frame["seq"])).toEqual(
      one.events.map((_frame, i) => i + (one.events[0]?.["seq"] as number)),
    );
    expect(one.text.split("so much")).toHaveLength(101);
  },
);

test.skipIf(!canMount)(
  "killed while the disk is full, and started on the full disk: what was accepted before still runs once",
  async () => {
    const { home, disk } = await smallHome();
    await using _ = disk;
    await using __ = home;
    await using one = await attach(url(await home.start()), TOKEN);
    one.send({ id: 1, type: "prompt", message: bash("until [ -e go ]; do sleep 0.05; done") });
    await one.event("tool_execution_start");
    one.send({ id: 2, type: "follow_up", message: bash("echo 2 >> order") });
    expect(await one.reply(2)).toMatchObject({ success: true });
    disk.fill();
    // There is room ahead for a small one; this is none.
    const message = `@say no\n${"x".repeat(200_000)}`;
    one.send({ id: 3, type: "prompt", streamingBehavior: "followUp", message });
    expect(await one.reply(3)).toMatchObject({ success: false, code: "storage_unavailable" });
    await home.kill();
    const host = await home.start();
    await until("it has run", () => home.vault("order") === "2\n");
    disk.free();
    await using two = await attachSince(url(host), TOKEN, one.events.at(-1)?.["seq"]);
    await two.event("prompt_interrupted");
    await two.event("agent_settled");
    expect(home.vault("order")).toBe("2\n");
    // Once more, to see what the ledger noted while it was full.
    await home.kill();
    await using three = await attach(url(await home.start()), TOKEN);
    three.send({ id: 4, type: "prompt", message: "@say end" });
    await three.event("agent_settled");
    expect(home.vault("order")).toBe("2\n");
  },
);
