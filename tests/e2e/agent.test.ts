import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AttachClient, attach, type Frame } from "../support/attach-client.ts";
import { TOKEN, type TestGateway, testGateway } from "../support/gateway.ts";
import { processesWith } from "../support/nest-process.ts";
import { until } from "../support/until.ts";

/** A prompt that has the scripted model run one command in bash. */
const bash = (command: string, rest = "") => `@tool bash ${JSON.stringify({ command })}\n${rest}`;

/** Pid of the agent that runs now. */
function agentPid(gateway: TestGateway): number {
  return gateway.logged("agent_ready").at(-1)?.["pid"] as number;
}

function eventsOf(client: AttachClient): Frame[] {
  return client.events.map(({ seq, event }) => ({ type: "event", seq, event }));
}

describe("a session with the real pi", () => {
  test("prompt, deltas, a bash call with its output, settled: twice, and two clients see the same in the same order", async () => {
    await using gateway = testGateway();
    await using one = await attach(gateway.attachUrl, TOKEN);
    await using two = await attach(gateway.attachUrl, TOKEN);
    let seq = 0;
    for (const word of ["first", "second"]) {
      one.send({
        id: word,
        type: "prompt",
        message: bash(`echo ${word} from bash`, `@say That was the ${word}.`),
      });
      expect(await one.reply(word)).toEqual({
        type: "response",
        id: word,
        command: "prompt",
        success: true,
      });
      const end = await one.event("tool_execution_end", seq);
      expect(end["event"].result.content[0].text).toBe(`${word} from bash\n`);
      seq = (await one.event("agent_settled", seq))["seq"];
      await two.event("agent_settled", seq - 1);
      expect(one.text).toContain(`That was the ${word}.`);
    }
    expect(eventsOf(two)).toEqual(eventsOf(one));
    const seqs = one.events.map((frame) => frame["seq"]);
    expect(seqs).toEqual(seqs.map((_, i) => seqs[0] + i));
    expect(two.frames.filter((frame) => frame.type === "response")).toEqual([]);
  });

  test("since: exactly the missed events follow, once; an unknown number means resync", async () => {
    await using gateway = testGateway();
    await using one = await attach(gateway.attachUrl, TOKEN);
    one.send({ id: 1, type: "prompt", message: "@say one two three four" });
    const { seq: last } = await one.event("agent_settled");
    const all = eventsOf(one);
    for (const since of [all[0]?.["seq"] - 1, all[2]?.["seq"], last]) {
      const back = await new AttachClient(`${gateway.attachUrl}?since=${since}`).opened();
      await using _ = back;
      back.send({ type: "auth", token: TOKEN });
      expect(await back.ofType("attached")).toMatchObject({
        seq: last,
        resync: false,
        state: "idle",
      });
      const missed = all.filter(({ seq }) => seq > since);
      await until("what was missed", () => back.events.length >= missed.length);
      expect(eventsOf(back)).toEqual(missed);
    }
    for (const since of [last + 1, 1_795_507_734_043_050]) {
      const back = await new AttachClient(`${gateway.attachUrl}?since=${since}`).opened();
      await using _ = back;
      back.send({ type: "auth", token: TOKEN });
      expect(await back.ofType("attached")).toMatchObject({ resync: true });
      back.send({ id: "m", type: "get_messages" });
      const { data } = await back.reply("m");
      expect(data.messages.map((message: { role: string }) => message.role)).toEqual([
        "user",
        "assistant",
      ]);
    }
  });

  test("no system prompt and no path of the host reaches a client", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    client.send({ id: "p", type: "prompt", message: bash("echo hi") });
    await client.event("agent_settled");
    const commands = [
      "get_state",
      "get_messages",
      "get_entries",
      "get_tree",
      "get_session_stats",
      "get_commands",
      "export_html",
    ];
    for (const type of commands) {
      client.send({ id: type, type });
      expect([type, (await client.reply(type))["success"]]).toEqual([type, true]);
    }
    const text = JSON.stringify(client.frames);
    expect(text).not.toContain("You are an expert coding assistant");
    expect(text).not.toContain("node_modules");
    expect(text).not.toContain(gateway.dir);
  });

  test("kill -9 in mid-turn: clients are told, no tool is left behind, and the next prompt works", async () => {
    await using gateway = testGateway();
    await using one = await attach(gateway.attachUrl, TOKEN);
    await using two = await attach(gateway.attachUrl, TOKEN);
    const mark = `31${process.pid}.25`;
    one.send({ id: "p", type: "prompt", message: bash(`sleep ${mark} & sleep ${mark}`) });
    await one.event("tool_execution_start");
    await until("both sleeps run", async () => (await processesWith(`sleep\0${mark}`)).length >= 2);
    one.send({ id: "pending", type: "bash", command: `sleep ${mark}` });
    await until("the third runs", async () => (await processesWith(`sleep\0${mark}`)).length >= 3);
    process.kill(agentPid(gateway), "SIGKILL");
    for (const client of [one, two]) {
      expect((await client.event("agent_exit"))["event"]).toMatchObject({
        signal: "SIGKILL",
        interrupted: true,
      });
    }
    expect(await one.reply("pending")).toMatchObject({
      success: false,
      code: "agent_exited",
      command: "bash",
    });
    await until(
      "no tool is left",
      async () => (await processesWith(`sleep\0${mark}`)).length === 0,
    );
    one.send({ id: "next", type: "prompt", message: "@say Alive again." });
    expect(await one.reply("next")).toMatchObject({ success: true });
    await one.event("agent_ready");
    await two.event("agent_settled");
    expect(two.text).toContain("Alive again.");
  });

  test("U+2028, U+2029 and an astral character pass unharmed, both ways", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    const text = "line\u2028one\u2029two \u{1f95a}\u0085end";
    client.send({
      id: "p",
      type: "prompt",
      message: `@tool write ${JSON.stringify({ path: "note.md", content: text })}\n@say ${text}`,
    });
    await client.event("agent_settled");
    expect(readFileSync(join(gateway.dir, "vault", "note.md"), "utf8")).toBe(text);
    expect(client.text).toContain(text);
  });

  test("abort ends a running tool and the turn", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    const mark = `32${process.pid}.25`;
    client.send({ id: "p", type: "prompt", message: bash(`sleep ${mark}`) });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    await using late = await attach(gateway.attachUrl, TOKEN);
    expect(await late.ofType("attached")).toMatchObject({ state: "busy" });
    client.send({ id: "a", type: "abort" });
    expect(await client.reply("a")).toMatchObject({ success: true });
    await client.event("agent_settled");
    expect(await processesWith(`sleep\0${mark}`)).toEqual([]);
    client.send({ id: "n", type: "prompt", message: "@say Still here." });
    await until("the next turn", () => client.text.includes("Still here."));
  });

  test("a prompt with a key that was accepted before runs once", async () => {
    await using gateway = testGateway();
    await using one = await attach(gateway.attachUrl, TOKEN);
    await using two = await attach(gateway.attachUrl, TOKEN);
    const prompt = { type: "prompt", key: "k-1", message: bash("echo x >> count") };
    one.send({ id: 1, ...prompt });
    two.send({ id: 2, ...prompt });
    expect(await one.reply(1)).toMatchObject({ success: true });
    expect(await two.reply(2)).toMatchObject({ success: true });
    await one.event("agent_settled");
    one.send({ id: 3, ...prompt });
    expect(await one.reply(3)).toMatchObject({ success: true });
    one.send({ id: 4, type: "get_session_stats" });
    expect((await one.reply(4))["data"]).toMatchObject({ userMessages: 1 });
    expect(readFileSync(join(gateway.dir, "vault", "count"), "utf8")).toBe("x\n");
  });

  test("an image of the vault goes with a prompt by its name; links and other files do not", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    const pixel =
      "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    writeFileSync(join(gateway.dir, "vault", "a.png"), Buffer.from(pixel, "base64"));
    client.send({ id: "i", type: "prompt", message: "@say Seen.", images: [{ vault: "a.png" }] });
    expect(await client.reply("i")).toMatchObject({ success: true });
    await client.event("agent_settled");
    client.send({ id: "m", type: "get_messages" });
    const { data } = await client.reply("m");
    expect(JSON.stringify(data.messages[0])).toContain(pixel);
    for (const vault of ["../config.yaml", "/etc/passwd", "no.png", "Welcome.md", "a\\b.png"]) {
      client.send({ id: vault, type: "prompt", message: "x", images: [{ vault }] });
      expect(await client.reply(vault)).toMatchObject({
        success: false,
        code: "image_unavailable",
      });
    }
  });
});

describe("dialogs of pi's extensions", () => {
  const extension = join(import.meta.dir, "..", "support", "dialog-extension.ts");

  test("they go to all clients, also to one that comes late; the first answer wins and the others see it resolved", async () => {
    await using gateway = testGateway({ config: { agent: { args: ["-e", extension] } } });
    await using one = await attach(gateway.attachUrl, TOKEN);
    await using two = await attach(gateway.attachUrl, TOKEN);
    one.send({ id: "p", type: "prompt", message: "/ask" });
    const asked = (
      await one.event("extension_ui_request", 0, (event) => event["method"] === "select")
    )["event"];
    expect(
      (await two.event("extension_ui_request", 0, (event) => event["method"] === "select"))[
        "event"
      ],
    ).toEqual(asked);
    await using late = await attach(gateway.attachUrl, TOKEN);
    expect((await late.ofType("attached"))["dialogs"]).toEqual([asked]);

    two.send({ type: "extension_ui_response", id: asked["id"] });
    expect(await two.reply(asked["id"])).toMatchObject({ success: false, code: "invalid_command" });
    late.send({ type: "extension_ui_response", id: asked["id"], value: "blue" });
    expect(await late.reply(asked["id"])).toMatchObject({ success: true });
    for (const client of [one, two, late]) {
      expect((await client.event("extension_ui_resolved"))["event"]).toEqual({
        type: "extension_ui_resolved",
        id: asked["id"],
        value: "blue",
      });
    }
    one.send({ type: "extension_ui_response", id: asked["id"], value: "red" });
    expect(await one.reply(asked["id"])).toMatchObject({ success: false, code: "dialog_closed" });
    const notice = await two.event(
      "extension_ui_request",
      0,
      (event) => event["method"] === "notify",
    );
    expect(notice["event"].message).toBe("picked blue");
    await one.reply("p");
  });
});

describe("the agent's surroundings", () => {
  test(".env, bunfig.toml and .pi/extensions in the vault change nothing", async () => {
    await using gateway = testGateway();
    const vault = join(gateway.dir, "vault");
    const evil = `await Bun.write(${JSON.stringify(join(gateway.dir, "pwned"))}, "x");\n`;
    writeFileSync(join(vault, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(vault, "evil.ts"), evil);
    writeFileSync(join(vault, ".env"), "NEST_TEST_EVIL=1\n");
    await Bun.write(
      join(vault, ".pi", "extensions", "evil.ts"),
      `${evil}export default function () {}\n`,
    );
    await using client = await attach(gateway.attachUrl, TOKEN);
    client.send({ id: "p", type: "prompt", message: bash("env") });
    const env = (await client.event("tool_execution_end"))["event"].result.content[0].text;
    expect(env).toContain("PI_SESSION_ID");
    expect(env).not.toContain("NEST_TEST_EVIL");
    await client.event("agent_settled");
    expect(existsSync(join(gateway.dir, "pwned"))).toBe(false);
  });

  test("its environment is an allow-list: no secret of Nest's, keys of providers, and what agent.env adds", async () => {
    const env = {
      ...process.env,
      NEST_OWNER_TOKEN: "nest_from-the-environment-0123456789abcdef",
      OPENAI_API_KEY: "not-a-key",
      GROQ_API_KEY: "held-by-nest-for-a-hook-0123456789abcd",
      DATABASE_PASSWORD: "of-the-owner",
    };
    await using gateway = testGateway({
      env,
      config: {
        server: { token: "env:NEST_OWNER_TOKEN" },
        agent: { env: { ADDED: "by-config" } },
        webhooks: { sources: { hook: { secret: "env:GROQ_API_KEY", verify: "bearer" } } },
      },
    });
    await using client = await attach(gateway.attachUrl, env.NEST_OWNER_TOKEN);
    client.send({ id: "p", type: "prompt", message: bash("env") });
    const shown = (await client.event("tool_execution_end"))["event"].result.content[0].text;
    expect(shown).toContain("OPENAI_API_KEY=not-a-key");
    expect(shown).toContain("ADDED=by-config");
    expect(shown).not.toContain("NEST_OWNER_TOKEN");
    expect(shown).not.toContain(env.NEST_OWNER_TOKEN);
    expect(shown).not.toContain("GROQ_API_KEY");
    expect(shown).not.toContain("DATABASE_PASSWORD");
  });

  test("an agent that cannot start is told of, and tried again", async () => {
    const script = "echo broken >&2; exit 3";
    await using gateway = testGateway({ config: { agent: { command: ["sh", "-c", script] } } });
    await using client = await attach(gateway.attachUrl, TOKEN);
    client.send({ id: 1, type: "get_state" });
    expect(await client.reply(1)).toMatchObject({ success: false, code: "agent_unavailable" });
    expect(gateway.logged("agent_start_failed").length).toBeGreaterThan(0);
    expect(gateway.logged("agent_stderr")[0]).toMatchObject({ line: "broken" });
  });
});
