import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type AttachClient, attach, attachSince, type Frame } from "../support/attach-client.ts";
import { TOKEN } from "../support/gateway.ts";
import { NestHome } from "../support/nest-home.ts";
import { nest, processesWith } from "../support/nest-process.ts";
import { until } from "../support/until.ts";

/** Several starts of Nest and of pi each, on a machine that may be busy. */
setDefaultTimeout(60_000);

const bash = (command: string, rest = "") => `@tool bash ${JSON.stringify({ command })}\n${rest}`;
const url = (host: string) => `ws://${host}/attach`;
const lastSeq = (client: AttachClient) => client.events.at(-1)?.["seq"] as number;
const types = (client: AttachClient) => client.events.map(({ event }) => event.type as string);

/** What the newest files say: the whole history, as a client that has seen nothing gets it. */
async function history(host: string): Promise<Frame[]> {
  await using client = await attachSince(url(host), TOKEN, 0);
  const { seq } = await client.ofType("attached");
  await until("all of the history", () => lastSeq(client) >= seq || seq === 0);
  return client.events;
}

describe("since, across ends of Nest", () => {
  test.each([
    { name: "SIGTERM", end: (home: NestHome) => home.stop() },
    { name: "kill -9", end: (home: NestHome) => home.kill() },
  ])("$name: numbers go on, and exactly the missed events follow, once", async ({ end }) => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    one.send({ id: 1, type: "prompt", message: "@say one two three" });
    await one.event("agent_settled");
    const before = one.events;
    await end(home);
    await one.closed();

    const host = await home.start();
    await using two = await attach(url(host), TOKEN);
    two.send({ id: 2, type: "prompt", message: "@say four five six" });
    await two.event("agent_settled");
    for (const seen of [0, 3, lastSeq(one), lastSeq(two)]) {
      await using back = await attachSince(url(host), TOKEN, seen);
      expect(await back.ofType("attached")).toMatchObject({ resync: false, seq: lastSeq(two) });
      const all = [...before, ...two.events].filter(({ seq }) => seq > seen);
      await until("what was missed", () => back.events.length >= all.length);
      expect(back.events).toEqual(all);
    }
    const seqs = (await history(host)).map((frame) => frame["seq"]);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
    two.send({ id: "m", type: "get_messages" });
    const { data } = await two.reply("m");
    expect(data.messages.map(({ role }: { role: string }) => role)).toEqual([
      "user",
      "assistant",
      "user",
      "assistant",
    ]);
    const file = join(home.dir, "sessions", "default", "prompts.log");
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe("prompts, each once", () => {
  test("Nest killed in the middle of a tool: the prompt is marked, not run again, and can be retried once", async () => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    const mark = `41${process.pid}.25`;
    const message = bash(`echo x >> count; sleep ${mark}`, "@think Let me see.");
    one.send({ id: 1, type: "prompt", key: "k", message });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    await home.kill();

    const host = await home.start();
    await using two = await attachSince(url(host), TOKEN, lastSeq(one));
    const exit = await two.event("agent_exit");
    expect(exit["event"]).toMatchObject({ interrupted: true, cause: "nest_died" });
    const { event } = await two.event("prompt_interrupted");
    expect(event).toMatchObject({ message, key: "k" });
    await until(
      "no tool is left",
      async () => (await processesWith(`sleep\0${mark}`)).length === 0,
    );
    await using late = await attach(url(host), TOKEN);
    expect(await late.ofType("attached")).toMatchObject({
      state: "idle",
      interrupted: [{ prompt: event.prompt, key: "k", message }],
    });
    two.send({ id: 2, type: "prompt", key: "k", message });
    expect(await two.reply(2)).toMatchObject({ success: false, code: "prompt_interrupted" });
    expect(home.vault("count")).toBe("x\n");

    const retry = { type: "retry_prompt", prompt: event.prompt };
    two.send({ id: 3, ...retry });
    two.send({ id: 4, ...retry });
    expect(await two.reply(3)).toMatchObject({ success: true });
    expect(await two.reply(4)).toMatchObject({ success: true });
    await until("it runs again", () => home.vault("count") === "x\nx\n");
    two.send({ id: 5, type: "abort" });
    await two.event("agent_settled");
    two.send({ id: 6, ...retry });
    expect(await two.reply(6)).toMatchObject({ success: true });
    two.send({ id: 7, type: "retry_prompt", prompt: "p999" });
    expect(await two.reply(7)).toMatchObject({ success: false, code: "not_interrupted" });
    expect(home.vault("count")).toBe("x\nx\n");
  });

  test("accepted before a crash and never begun: queued prompts run after it, in order, once", async () => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    const mark = `42${process.pid}.25`;
    one.send({ id: 0, type: "prompt", message: bash(`echo 0 >> order; sleep ${mark}`) });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    const queued = [
      { type: "prompt", streamingBehavior: "followUp", key: "a" },
      { type: "follow_up" },
      { type: "prompt", streamingBehavior: "followUp" },
    ];
    // Two say the same: each is one prompt.
    const words = ["1", "2", "2"];
    for (const [i, command] of queued.entries()) {
      one.send({ id: i + 1, ...command, message: bash(`echo ${words[i]} >> order`) });
      expect(await one.reply(i + 1)).toMatchObject({ success: true });
    }
    await home.kill();
    const host = await home.start();
    await until("all three ran", () => home.vault("order") === "0\n1\n2\n2\n");
    await using two = await attachSince(url(host), TOKEN, lastSeq(one));
    await two.event("agent_settled");
    expect(types(two).filter((type) => type === "prompt_interrupted")).toHaveLength(1);
    expect(types(two).filter((type) => type === "prompt_begun")).toHaveLength(3);
    two.send({ id: "again", ...queued[0], message: bash("echo 1 >> order") });
    expect(await two.reply("again")).toMatchObject({ success: true });
    two.send({ id: "other", ...queued[0], message: "other words" });
    expect(await two.reply("other")).toMatchObject({ success: false, code: "key_reused" });
    await home.stop();
    const third = await home.start();
    await using three = await attach(url(third), TOKEN);
    three.send({ id: "again", ...queued[0], message: bash("echo 1 >> order") });
    expect(await three.reply("again")).toMatchObject({ success: true });
    three.send({ id: "s", type: "prompt", message: "@say end" });
    await three.event("agent_settled");
    expect(home.vault("order")).toBe("0\n1\n2\n2\n");
  });

  test("pi killed: what it had begun is marked, what waited in it runs in the next one", async () => {
    await using home = new NestHome();
    await using one = await attach(url(await home.start()), TOKEN);
    const mark = `43${process.pid}.25`;
    one.send({ id: 0, type: "prompt", message: bash(`echo 0 >> order; sleep ${mark}`) });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    one.send({
      id: 1,
      type: "prompt",
      streamingBehavior: "followUp",
      message: bash("echo 1 >> order"),
    });
    expect(await one.reply(1)).toMatchObject({ success: true });
    process.kill(home.nest.logged("agent_ready")[0]?.["pid"] as number, "SIGKILL");
    await one.event("prompt_interrupted");
    await one.event("agent_settled");
    expect(home.vault("order")).toBe("0\n1\n");
    expect(types(one).filter((type) => type === "prompt_interrupted")).toHaveLength(1);
  });

  test("begun by a pi of which Nest saw nothing more: pi's own file tells, and it does not run again", async () => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    one.send({ id: 0, type: "prompt", message: bash("until [ -e go ]; do sleep 0.05; done") });
    await one.event("tool_execution_start");
    const mark = `46${process.pid}.25`;
    // Both say the same; the first of them has begun, the second has not.
    const message = bash(`echo 1 >> order; sleep ${mark}`);
    for (const id of [1, 2]) {
      one.send({ id, type: "prompt", streamingBehavior: "followUp", key: `k${id}`, message });
      expect(await one.reply(id)).toMatchObject({ success: true });
    }
    home.nest.signal("SIGSTOP");
    writeFileSync(join(home.dir, "vault", "go"), "");
    await until("the second prompt's tool runs", () => home.vault("order") === "1\n");
    await home.kill();
    const host = await home.start();
    await using two = await attachSince(url(host), TOKEN, lastSeq(one));
    await until("the third prompt's tool runs", () => home.vault("order") === "1\n1\n");
    const interrupted = two.events.filter(({ event }) => event.type === "prompt_interrupted");
    expect(interrupted.map(({ event }) => event.key)).toEqual([undefined, "k1"]);
    two.send({ id: 3, type: "abort" });
    await two.event("agent_settled");
    expect(home.vault("order")).toBe("1\n1\n");
  });

  test("a pi that outlives its Nest is ended before the next one opens the conversation", async () => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    const mark = `47${process.pid}.25`;
    one.send({ id: 0, type: "prompt", message: bash(`sleep ${mark}`) });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    const old = home.nest.logged("agent_ready")[0]?.["pid"] as number;
    process.kill(old, "SIGSTOP");
    await home.kill();
    await home.start();
    // What waits to be reaped has no command line any more.
    expect(await home.agents()).not.toContain(old);
    expect(await processesWith(`sleep\0${mark}`)).toEqual([]);
    expect(home.logged("agent_orphans")).toHaveLength(1);
  });

  test("two prompts in one go: pi says yes to both when it examines them at once, and runs one; through Nest the second is told no", async () => {
    await using home = new NestHome();
    await using one = await attach(url(await home.start()), TOKEN);
    one.send({ id: 1, type: "prompt", message: "@say first" });
    one.send({ id: 2, type: "prompt", message: "@say second" });
    one.send({ id: 3, type: "prompt", message: "@say third", streamingBehavior: "followUp" });
    expect(await one.reply(1)).toMatchObject({ success: true });
    expect(await one.reply(2)).toMatchObject({ success: false });
    expect(await one.reply(3)).toMatchObject({ success: true });
    await until(
      "both ran",
      () => types(one).filter((type) => type === "prompt_begun").length === 2,
    );
    await one.event("prompt_refused");
  });

  test("a queue that the owner cleared stays cleared after a crash", async () => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    const mark = `44${process.pid}.25`;
    one.send({ id: 0, type: "prompt", message: bash(`sleep ${mark}`) });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    one.send({ id: 1, type: "follow_up", message: bash("echo 1 >> order") });
    await one.reply(1);
    one.send({ id: 2, type: "clear_queue" });
    await one.reply(2);
    await one.event("prompt_dropped");
    await home.kill();
    await using two = await attach(url(await home.start()), TOKEN);
    two.send({ id: 3, type: "prompt", message: "@say end" });
    await two.event("agent_settled");
    expect(home.vault("order")).toBe("");
  });
});

test("a second Nest on the same sessions does not start and touches nothing; a dead one's lock holds nobody up", async () => {
  await using home = new NestHome();
  await home.start();
  // As the first one has it while it takes an upload.
  const unfinished = `.nest-tmp-${"0".repeat(32)}`;
  mkdirSync(join(home.dir, "vault", ".nest-tmp"));
  writeFileSync(join(home.dir, "vault", ".nest-tmp", "a.note"), JSON.stringify([unfinished]));
  writeFileSync(join(home.dir, "vault", unfinished), "half of it");
  const second = await nest(["serve", "--demo", "--config", join(home.dir, "config.yaml")], {
    cwd: home.dir,
  });
  expect(second.code).toBe(2);
  expect(second.stderr).toContain(`another Nest (process ${home.nest.pid})`);
  expect(home.vault(unfinished)).toBe("half of it");
  await home.kill();
  await home.start();
});

describe("a graceful end", () => {
  test("SIGTERM in the middle of a tool: reported at the next start, nothing is left, and it took under 10 s", async () => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    const mark = `45${process.pid}.25`;
    one.send({ id: 0, type: "prompt", message: bash(`sleep ${mark}`) });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    const startMs = performance.now();
    expect(await home.stop()).toBe(0);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    expect(await one.closed()).toMatchObject({ code: 1001 });
    expect(await home.agents()).toEqual([]);
    expect(await processesWith(`sleep\0${mark}`)).toEqual([]);
    await using two = await attachSince(url(await home.start()), TOKEN, lastSeq(one));
    expect((await two.event("agent_exit"))["event"]).toMatchObject({
      interrupted: true,
      cause: "nest_stopped",
    });
    await two.event("prompt_interrupted");
  });

  test("SIGTERM near the end of a run: it is waited for, and nothing is marked", async () => {
    await using home = new NestHome();
    const one = await attach(url(await home.start()), TOKEN);
    one.send({ id: 0, type: "prompt", message: bash("touch begun; sleep 0.7; echo done >> end") });
    await until("the tool runs", async () => Bun.file(join(home.dir, "vault", "begun")).exists());
    await home.stop();
    expect(home.vault("end")).toBe("done\n");
    await using two = await attachSince(url(await home.start()), TOKEN, lastSeq(one));
    await two.event("agent_settled");
    expect(types(two)).not.toContain("prompt_interrupted");
  });
});
