import { readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { type AttachClient, attach, attachSince } from "../support/attach-client.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TOKEN, testGateway } from "../support/gateway.ts";
import { NestHome } from "../support/nest-home.ts";
import { processesWith } from "../support/nest-process.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(60_000);

const bash = (command: string, rest = "") => `@tool bash ${JSON.stringify({ command })}\n${rest}`;
const headers = { Authorization: `Bearer ${TOKEN}` };

/** Lets time go by for clients that show signs of life, none of which is a use of the session. */
async function pass(clock: FakeClock, clients: readonly AttachClient[], minutes: number) {
  const answered = (client: AttachClient) =>
    client.frames.filter(({ type, code }) => type === "error" && code === "bad_frame").length;
  for (let i = 0; i < minutes * 4; i++) {
    clock.advance(15_000);
    for (const client of clients) {
      const before = answered(client);
      client.send("no JSON");
      await until("a sign of life is seen", () => answered(client) > before);
    }
  }
}

/** A call of the API: status and JSON. */
async function api(base: string, method: string, path: string) {
  const response = await fetch(`${base}/api/sessions${path}`, { method, headers });
  const text = await response.text();
  return { status: response.status, body: text === "" ? undefined : JSON.parse(text) };
}

describe("an idle session", () => {
  test("its pi ends after idleMinutes, and comes back on the next prompt with the conversation intact", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({
      clock,
      config: { sessions: { default: { idleMinutes: 5 } } },
    });
    await using client = await attach(gateway.attachUrl, TOKEN);
    client.send({ id: 1, type: "prompt", message: "@say one" });
    const { seq } = await client.event("agent_settled");
    const pid = gateway.logged("agent_ready")[0]?.["pid"] as number;
    await pass(clock, [client], 4);
    client.send({ id: 2, type: "get_state" });
    expect(await client.reply(2)).toMatchObject({ success: true });
    await pass(clock, [client], 4.5);
    expect(client.events.at(-1)?.["seq"]).toBe(seq);
    await pass(clock, [client], 1);
    const stopped = await client.event("agent_stopped");
    expect(stopped["event"]).toMatchObject({ reason: "idle", interrupted: false });
    await until("its process has gone", () => {
      try {
        process.kill(pid, 0);
        return false;
      } catch {
        return true;
      }
    });
    client.send({ id: 3, type: "prompt", message: "@say two" });
    expect(await client.reply(3)).toMatchObject({ success: true });
    await client.event("agent_settled", stopped["seq"]);
    client.send({ id: 4, type: "get_messages" });
    const { data } = await client.reply(4);
    expect(data.messages.map(({ role }: { role: string }) => role)).toEqual([
      "user",
      "assistant",
      "user",
      "assistant",
    ]);
  });

  test("a run, however long, is no idling; and without idleMinutes nothing ends", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({
      clock,
      config: { sessions: { default: { idleMinutes: 1 }, other: {} } },
    });
    await using client = await attach(gateway.attachUrl, TOKEN);
    await using other = await attach(`${gateway.attachUrl}?session=other`, TOKEN);
    const mark = `51${process.pid}.25`;
    client.send({ id: 1, type: "prompt", message: bash(`sleep ${mark}`) });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    await pass(clock, [client, other], 10);
    client.send({ id: 2, type: "abort" });
    other.send({ id: 3, type: "get_state" });
    await client.event("agent_settled");
    await other.reply(3);
    expect(client.events.map(({ event }) => event.type)).not.toContain("agent_stopped");
    expect(gateway.logged("agent_ready")).toHaveLength(2);
  });
});

describe("the sessions API", () => {
  test("made, listed, used, kept over a restart, ended; made again it goes on", async () => {
    await using home = new NestHome();
    let host = await home.start();
    const base = () => `http://${host}`;
    expect(await api(base(), "PUT", "/work")).toMatchObject({
      status: 201,
      body: { name: "work", configured: false, running: false, state: "idle" },
    });
    expect((await api(base(), "PUT", "/work")).status).toBe(200);
    expect((await api(base(), "PUT", "/default")).status).toBe(200);
    {
      await using client = await attach(`ws://${host}/attach?session=work`, TOKEN);
      client.send({ id: 1, type: "prompt", message: "@say at work" });
      await client.event("agent_settled");
    }
    const { body } = await api(base(), "GET", "");
    expect(body.sessions).toMatchObject([
      { name: "default", configured: true },
      { name: "work", configured: false, running: true },
    ]);
    await home.stop();
    host = await home.start();
    await using again = await attach(`ws://${host}/attach?session=work`, TOKEN);
    expect((await api(base(), "GET", "/work/messages")).body.messages).toHaveLength(2);
    expect((await api(base(), "DELETE", "/work")).status).toBe(204);
    expect(await again.closed()).toMatchObject({ code: 4004 });
    expect(await home.agents()).toEqual([]);
    expect((await api(base(), "DELETE", "/work")).status).toBe(404);
    expect((await api(base(), "GET", "/work/messages")).status).toBe(404);
    expect((await api(base(), "PUT", "/work")).status).toBe(201);
    expect((await api(base(), "GET", "/work/messages")).body.messages).toHaveLength(2);
  });

  test("one of the config is stopped and comes back on the next use", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    client.send({ id: 1, type: "prompt", message: "@say one" });
    await client.event("agent_settled");
    expect((await api(gateway.url, "DELETE", "/default")).status).toBe(204);
    expect((await client.event("agent_stopped"))["event"]).toMatchObject({ reason: "asked" });
    expect((await api(gateway.url, "GET", "")).body.sessions).toMatchObject([{ running: false }]);
    client.send({ id: 2, type: "prompt", message: "@say two" });
    expect(await client.reply(2)).toMatchObject({ success: true });
  });

  test.each([
    "__proto__",
    "toString",
    "..",
    "%2e%2e",
    "..%2fx",
    "a%2fb",
    "A",
    "-a",
    "_a",
    "a%00",
    "a.b",
    "a%0a",
    "x".repeat(65),
    "%F0%9F%A5%9A",
  ])("no session is called %s", async (name) => {
    await using gateway = testGateway();
    for (const method of ["PUT", "DELETE"]) {
      const { status } = await api(gateway.url, method, `/${name}`);
      expect([method, status >= 400 && status < 500]).toEqual([method, true]);
    }
    expect((await api(gateway.url, "GET", `/${name}/messages`)).status).toBeGreaterThanOrEqual(400);
    expect((await api(gateway.url, "GET", "")).body.sessions).toHaveLength(1);
    // What Nest itself keeps there are files with a dot in their names, which no session's has.
    const kept = readdirSync(join(gateway.dir, "sessions"));
    expect(kept.filter((entry) => !/^(\.lock|webhooks\.sqlite(-wal|-shm)?)$/.test(entry))).toEqual(
      [],
    );
    expect(({} as Record<string, unknown>)["cwd"]).toBeUndefined();
  });

  test("a name that is a field of every object is a name like any other", async () => {
    await using gateway = testGateway();
    expect((await api(gateway.url, "DELETE", "/constructor")).status).toBe(404);
    expect((await api(gateway.url, "PUT", "/constructor")).status).toBe(201);
    expect((await api(gateway.url, "GET", "")).body.sessions).toHaveLength(2);
    expect((await api(gateway.url, "DELETE", "/constructor")).status).toBe(204);
  });

  test("no more than 64 are made", async () => {
    await using gateway = testGateway();
    for (let i = 0; i < 64; i++) {
      expect((await api(gateway.url, "PUT", `/s${i}`)).status).toBe(201);
    }
    const refused = await api(gateway.url, "PUT", "/s64");
    expect(refused).toMatchObject({ status: 409, body: { code: "too_many_sessions" } });
    expect((await api(gateway.url, "DELETE", "/s0")).status).toBe(204);
    expect((await api(gateway.url, "PUT", "/s64")).status).toBe(201);
  });
});

describe("the conversation after a crash", () => {
  test("it has what pi forgot: the first prompt that was cut off, and what had been written by then", async () => {
    await using home = new NestHome();
    const one = await attach(`ws://${await home.start()}/attach`, TOKEN);
    one.send({ id: 1, type: "prompt", message: "@say a long answer\n@repeat 200" });
    await until("some of it is there", () => one.text.length > 200);
    await home.kill();
    const host = await home.start();
    const { body } = await api(`http://${host}`, "GET", "/default/messages");
    expect(body).toMatchObject({
      messages: [],
      state: "idle",
      pending: [],
      interrupted: [{ prompt: "p1", message: "@say a long answer\n@repeat 200" }],
    });
    const { partial } = body.interrupted[0];
    expect(partial.length).toBeGreaterThanOrEqual(one.text.length);
    expect(partial).toStartWith(one.text);
    // Whoever reads it and follows from its number misses nothing and sees nothing twice.
    await using two = await attachSince(`ws://${host}/attach`, TOKEN, body.seq);
    expect(await two.ofType("attached")).toMatchObject({ resync: false, seq: body.seq });
  });

  test("messages that wait in pi are told as pending", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    client.send({ id: 1, type: "prompt", message: bash("until [ -e go ]; do sleep 0.05; done") });
    await client.event("tool_execution_start");
    client.send({ id: 2, type: "follow_up", message: "@say later" });
    await client.reply(2);
    const { body } = await api(gateway.url, "GET", "/default/messages");
    expect(body).toMatchObject({ state: "busy", pending: [{ message: "@say later" }] });
    writeFileSync(join(gateway.dir, "vault", "go"), "");
    await client.event("agent_settled");
    expect((await api(gateway.url, "GET", "/default/messages")).body.pending).toEqual([]);
  });
});
