import { describe, expect, test, setDefaultTimeout } from "bun:test";
import { AttachClient, type AttachClientOptions } from "../../src/attach/client.ts";
import type { ClientSocket } from "../../src/attach/client-socket.ts";
import type { ClientState } from "../../src/attach/client-state.ts";
import { attachUrl } from "../../src/attach/attach-url.ts";
import { retryDelayMs } from "../../src/attach/backoff.ts";
import { probeAttach } from "../../src/attach/probe.ts";
import { type AttachedFrame, CLOSE, type EventFrame } from "../../src/attach/protocol.ts";
import { attach } from "../support/attach-client.ts";
import { CutProxy } from "../support/cut-proxy.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { testGateway, TOKEN } from "../support/gateway.ts";
import { until } from "../support/until.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

const withHeaders = (url: string, headers?: Readonly<Record<string, string>>): ClientSocket =>
  new WebSocket(url, headers === undefined ? {} : { headers });

/** A client that keeps what it is told. */
class Watched implements Disposable {
  readonly client: AttachClient;
  readonly states: ClientState[] = [];
  readonly attached: AttachedFrame[] = [];
  readonly events: EventFrame[] = [];
  readonly clock: FakeClock;

  constructor(url: string, options: Partial<AttachClientOptions> & { clock?: FakeClock } = {}) {
    this.clock = options.clock ?? new FakeClock();
    this.client = new AttachClient({
      url,
      token: () => TOKEN,
      random: () => 0,
      onState: (state) => this.states.push(state),
      onAttached: (frame) => this.attached.push(frame),
      onEvent: (frame) => this.events.push(frame),
      ...options,
      clock: this.clock,
    });
    this.client.start();
  }

  is<K extends ClientState["kind"]>(kind: K): Promise<Extract<ClientState, { kind: K }>> {
    return until(`the client is ${kind}`, () =>
      this.client.state.kind === kind
        ? (this.client.state as Extract<ClientState, { kind: K }>)
        : undefined,
    );
  }

  /** Waits until it is away and turns the clock to its next try, no further: a try has a time limit of its own. */
  async comeBack(): Promise<void> {
    const { retryAtMs } = await this.is("away");
    this.clock.advance(retryAtMs - this.clock.monotonicMs());
  }

  settled(count = 1): Promise<true> {
    return until("the run is over", () =>
      this.events.filter(({ event }) => event.type === "agent_settled").length >= count
        ? true
        : undefined,
    );
  }

  get text(): string {
    return this.events
      .map(({ event }) => event["assistantMessageEvent"] as { type?: string; delta?: string })
      .map((update) => (update?.type === "text_delta" ? update.delta : ""))
      .join("");
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

type Peer = Bun.ServerWebSocket<undefined>;

/** A server that says what a test has it say. */
function oddServer(handlers: {
  open?: (peer: Peer, count: number) => void;
  message?: (peer: Peer, frame: { type: string; id?: string }) => void;
}) {
  let count = 0;
  const peers = new Set<Peer>();
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, bun) =>
      bun.upgrade(request, { data: undefined }) ? undefined : new Response(null, { status: 426 }),
    websocket: {
      open(peer) {
        peers.add(peer);
        handlers.open?.(peer, ++count);
      },
      message: (peer, text) => handlers.message?.(peer, JSON.parse(String(text))),
    },
  });
  return {
    url: `ws://127.0.0.1:${server.port}/attach`,
    get count() {
      return count;
    },
    peers,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const ATTACHED = { type: "attached", session: "default", seq: 10, state: "idle", resync: false };
const say = (peer: Peer, ...frames: object[]) => {
  for (const frame of frames) peer.send(JSON.stringify(frame));
};
const event = (seq: number) => ({ type: "event", seq, event: { type: "turn_start" } });

describe("AttachClient", () => {
  test.each([{ usesHeader: false }, { usesHeader: true }])(
    "attaches, prompts and hands on every event once ($usesHeader)",
    async ({ usesHeader }) => {
      await using nest = testGateway();
      using watched = new Watched(nest.attachUrl, { usesHeader, openSocket: withHeaders });
      const { attached } = await watched.is("open");
      expect(attached).toMatchObject({ session: "default", scripted: true, resync: false });
      expect(watched.client.limits?.commandsPerMinute).toBe(120);
      expect(await watched.client.prompt("@say four words of answer")).toMatchObject({
        success: true,
        command: "prompt",
      });
      await watched.settled();
      expect(watched.text).toBe("four words of answer");
      const numbers = watched.events.map(({ seq }) => seq);
      expect(numbers).toEqual(numbers.map((_, i) => attached.seq + 1 + i));
      expect(watched.client.seq).toBe(numbers.at(-1)!);
    },
  );

  test("a cut in mid-stream loses nothing and repeats nothing", async () => {
    await using nest = testGateway();
    await using proxy = await new CutProxy(nest.port).listen();
    using watched = new Watched(`ws://127.0.0.1:${proxy.port}/attach`);
    await watched.is("open");
    await using witness = await attach(nest.attachUrl, TOKEN);
    await watched.client.prompt("@say words\n@repeat 400");
    for (let cuts = 0; cuts < 3; cuts++) {
      const seen = watched.events.length;
      await until("some more events", () => watched.events.length > seen + 3);
      proxy.cut();
      expect(await watched.is("away")).toMatchObject({ reason: "unreachable" });
      await watched.comeBack();
      await watched.is("open");
    }
    await watched.settled();
    await witness.event("agent_settled");
    expect(watched.attached.map(({ resync }) => resync)).toEqual([false, false, false, false]);
    expect(watched.events.map(({ seq, event: { type } }) => [seq, type])).toEqual(
      witness.events.map((frame) => [frame["seq"], frame["event"].type]),
    );
  });

  test("a prompt whose answer was lost is sent again and runs once", async () => {
    await using nest = testGateway();
    await using proxy = await new CutProxy(nest.port).listen();
    using watched = new Watched(`ws://127.0.0.1:${proxy.port}/attach`);
    await watched.is("open");
    await using witness = await attach(nest.attachUrl, TOKEN);
    proxy.isMute = true;
    const answer = watched.client.prompt("@say once");
    await witness.event("agent_settled");
    proxy.cut();
    proxy.isMute = false;
    await watched.is("away");
    await watched.comeBack();
    expect(await answer).toMatchObject({ success: true });
    await watched.settled();
    const { data } = await watched.client.request({ type: "get_messages" });
    const messages = (data as { messages: { role: string }[] }).messages;
    expect(messages.filter(({ role }) => role === "user")).toHaveLength(1);
  });

  test("a prompt made while away waits for the connection, another command does not", async () => {
    await using nest = testGateway();
    await using proxy = await new CutProxy(nest.port).listen();
    using watched = new Watched(`ws://127.0.0.1:${proxy.port}/attach`);
    await watched.is("open");
    proxy.cut();
    await watched.is("away");
    const answer = watched.client.prompt("@say late");
    await expect(watched.client.request({ type: "abort" })).rejects.toMatchObject({
      code: "not_sent",
    });
    const gone = new AbortController();
    const withdrawn = watched.client.prompt("@say never", {}, gone.signal);
    gone.abort();
    await expect(withdrawn).rejects.toMatchObject({ code: "not_sent" });
    await watched.comeBack();
    expect(await answer).toMatchObject({ success: true });
    await watched.settled();
    expect(watched.text).toBe("late");
  });

  test.each([{ usesHeader: false }, { usesHeader: true }])(
    "a wrong token is refused for good ($usesHeader)",
    async ({ usesHeader }) => {
      await using nest = testGateway();
      using watched = new Watched(nest.attachUrl, {
        usesHeader,
        openSocket: withHeaders,
        probe: probeAttach,
        token: () => "nest_wrong-wrong-wrong-wrong-wrong-wrong-wrong",
      });
      expect(await watched.is("refused")).toEqual({ kind: "refused", code: "unauthorized" });
      const failures = nest.logged("auth_failed").length;
      // The header's refusal can't be read, so that one is asked a second time.
      expect(failures).toBe(usesHeader ? 2 : 1);
      watched.clock.advance(3_600_000);
      expect(watched.client.state.kind).toBe("refused");
      await expect(watched.client.prompt("x")).rejects.toMatchObject({ code: "not_sent" });
      expect(nest.logged("auth_failed")).toHaveLength(failures);
    },
  );

  test.each([{ usesHeader: false }, { usesHeader: true }])(
    "a session that is not there is refused for good ($usesHeader)",
    async ({ usesHeader }) => {
      await using nest = testGateway();
      using watched = new Watched(nest.attachUrl, {
        session: "elsewhere",
        usesHeader,
        openSocket: withHeaders,
        probe: probeAttach,
      });
      if (usesHeader) {
        expect(await watched.is("away")).toMatchObject({ reason: "upgrade_refused" });
        await watched.comeBack();
      }
      expect(await watched.is("refused")).toEqual({ kind: "refused", code: "session_not_found" });
    },
  );

  test("a lock-out is waited out, without a try before its end", async () => {
    const clock = new FakeClock();
    await using nest = testGateway({
      clock,
      config: { server: { rateLimit: { maxFailures: 1 } } },
    });
    await fetch(`${nest.url}/api/status`, { headers: { Authorization: "Bearer wrong" } });
    await using proxy = await new CutProxy(nest.port).listen();
    using watched = new Watched(`ws://127.0.0.1:${proxy.port}/attach`, {
      clock,
      probe: probeAttach,
    });
    const { untilMs } = await watched.is("locked_out");
    expect(untilMs - clock.monotonicMs()).toBe(60_000);
    const tries = proxy.connections;
    clock.advance(59_999);
    expect(proxy.connections).toBe(tries);
    expect(watched.client.state.kind).toBe("locked_out");
    clock.advance(2);
    await watched.is("open");
  });

  test("a token revoked later ends it", async () => {
    await using nest = testGateway();
    using watched = new Watched(nest.attachUrl);
    await watched.is("open");
    nest.reconfigure({ server: { token: "another-token-of-the-owner-0123456789" } });
    expect(await watched.is("refused")).toMatchObject({ code: "unauthorized" });
  });

  test("nobody there: the tries come ever later, and a nudge tries at once", async () => {
    await using proxy = await new CutProxy(1).listen();
    proxy.isGone = true;
    using watched = new Watched(`ws://127.0.0.1:${proxy.port}/attach`, { probe: probeAttach });
    const delays: number[] = [];
    for (let n = 0; n < 9; n++) {
      const { retryAtMs, reason } = await watched.is("away");
      expect(reason).toBe("unreachable");
      delays.push(retryAtMs - watched.clock.monotonicMs());
      if (n < 8) {
        watched.clock.advance(delays.at(-1)! - 1);
        expect(watched.client.state.kind).toBe("away");
        watched.clock.advance(1);
        expect(watched.client.state.kind).toBe("connecting");
      }
    }
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    watched.client.nudge();
    expect(watched.client.state.kind).toBe("connecting");
  });

  test.each([
    { name: "stopping", code: CLOSE.goingAway, reason: "server_stopping" },
    { name: "too slow", code: CLOSE.tooSlow, reason: "too_slow" },
    { name: "no room", code: CLOSE.tryAgainLater, reason: "too_many_waiting" },
    { name: "anything else", code: 4999, reason: "unreachable" },
  ])("closed with $code ($name): away, and comes back", async ({ code, reason }) => {
    await using server = oddServer({
      open: (peer, count) => (count === 1 ? peer.close(code) : say(peer, ATTACHED)),
    });
    using watched = new Watched(server.url);
    expect(await watched.is("away")).toMatchObject({ reason });
    watched.clock.advance(500);
    await watched.is("open");
  });

  test("events come once and in order; at a gap it comes back for what is missing", async () => {
    await using server = oddServer({
      open: (peer, count) => {
        if (count === 1) say(peer, ATTACHED, event(11), event(11), event(10), event(13), event(14));
        else say(peer, { ...ATTACHED, seq: 14 }, event(12), event(13), event(14));
      },
    });
    using watched = new Watched(server.url);
    expect(await watched.is("away")).toMatchObject({ reason: "broken" });
    watched.clock.advance(500);
    await until("all events", () => watched.events.length === 4);
    expect(watched.events.map(({ seq }) => seq)).toEqual([11, 12, 13, 14]);
  });

  test("where the server has forgotten, a prompt that may have run is not sent again", async () => {
    const prompts: string[] = [];
    await using server = oddServer({
      open: (peer, count) => say(peer, { ...ATTACHED, resync: count > 1 }),
      message: (peer, { type }) => {
        if (type !== "prompt") return;
        prompts.push(type);
        peer.close(1001);
      },
    });
    using watched = new Watched(server.url);
    await watched.is("open");
    const answer = watched.client.prompt("perhaps");
    answer.catch(() => {});
    await watched.is("away");
    watched.clock.advance(500);
    await expect(answer).rejects.toMatchObject({ code: "outcome_unknown" });
    expect(prompts).toHaveLength(1);
  });

  test("a server that falls silent is asked, and left where it does not answer", async () => {
    const pings: string[] = [];
    await using server = oddServer({
      open: (peer) => say(peer, ATTACHED),
      message: (_, { type }) => {
        if (type === "ping") pings.push(type);
      },
    });
    using watched = new Watched(server.url);
    await watched.is("open");
    watched.clock.advance(30_000);
    await until("a ping", () => pings.length === 1);
    expect(watched.client.state.kind).toBe("open");
    watched.clock.advance(10_000);
    expect(watched.client.state).toMatchObject({ kind: "away", reason: "broken" });
  });

  test("Nest answers the sign of life without troubling the agent", async () => {
    await using nest = testGateway();
    const frames: unknown[] = [];
    using watched = new Watched(nest.attachUrl, { onFrame: (frame) => frames.push(frame) });
    await watched.is("open");
    watched.clock.advance(30_000);
    await until("the answer", () =>
      frames.find((frame) => JSON.stringify(frame).includes("sign-of-life")),
    );
    watched.clock.advance(10_000);
    expect(watched.client.state.kind).toBe("open");
  });

  test("what is no frame is passed over, what is an unknown one is shown to who listens to all", async () => {
    const frames: string[] = [];
    await using server = oddServer({
      open: (peer) => {
        for (const text of [
          "",
          "null",
          "[]",
          "{",
          '"x"',
          '{"type":7}',
          '{"type":"event","seq":"1"}',
        ])
          peer.send(text);
        peer.send(new Uint8Array([1, 2]));
        say(peer, { type: "event", seq: 11 }, { type: "tomorrow" }, ATTACHED);
      },
    });
    using watched = new Watched(server.url, { onFrame: ({ type }) => frames.push(type) });
    await watched.is("open");
    expect(frames).toEqual(["tomorrow", "attached"]);
  });

  test("nothing is handed to a socket that is full, and what waits is bounded", async () => {
    const got: string[] = [];
    await using server = oddServer({
      open: (peer) => say(peer, ATTACHED),
      message: (_, { type }) => got.push(type),
    });
    let bufferedAmount = 0;
    using watched = new Watched(server.url, {
      openSocket: (url) => {
        const socket = new WebSocket(url);
        return Object.defineProperty(socket, "bufferedAmount", { get: () => bufferedAmount });
      },
    });
    await watched.is("open");
    bufferedAmount = 2 ** 20 + 1;
    const answers: Promise<string>[] = [];
    const codeOf = (error: { code: string }) => error.code;
    for (let n = 0; n < 300; n++)
      answers.push(watched.client.prompt("x").then(() => "answered", codeOf));
    expect(await Promise.all(answers.slice(256))).toEqual(Array(44).fill("too_many_waiting"));
    watched.clock.advance(500);
    expect(got).toEqual(["auth"]);
    bufferedAmount = 0;
    watched.clock.advance(50);
    await until("all frames", () => got.length === 257);
    await expect(watched.client.prompt("ü".repeat(2 ** 19))).rejects.toMatchObject({
      code: "frame_too_large",
    });
    watched.client.close();
    expect(new Set(await Promise.all(answers.slice(0, 256)))).toEqual(new Set(["outcome_unknown"]));
  });

  test("closed, it neither tries again nor says more", async () => {
    await using server = oddServer({ open: (peer) => peer.close(1001) });
    using watched = new Watched(server.url);
    await watched.is("away");
    watched.client.close();
    const states = watched.states.length;
    watched.clock.advance(3_600_000);
    expect(watched.states).toHaveLength(states);
    expect(server.count).toBe(1);
  });

  test("runs in browsers: nothing of Bun or Node in it", async () => {
    const { outputs, success } = await Bun.build({
      entrypoints: [new URL("../../src/attach/client.ts", import.meta.url).pathname],
      target: "browser",
    });
    expect(success).toBe(true);
    const text = await outputs[0]!.text();
    expect(text).toContain("AttachClient");
    expect(text).not.toMatch(
      /\b(?:Bun|Buffer|process|require)\b|node:|\bsetTimeout\b|Math\.random/,
    );
  });
});

describe("retryDelayMs", () => {
  test("takes a random half off", () => {
    expect([0, 0.5, 1].map((random) => retryDelayMs(3, random))).toEqual([2000, 1500, 1000]);
    expect(retryDelayMs(10_000, 0)).toBe(30_000);
  });
});

describe("attachUrl", () => {
  test.each([
    ["http://127.0.0.1:8484", "ws://127.0.0.1:8484/attach"],
    ["https://nest.example.org/", "wss://nest.example.org/attach"],
    ["https://example.org/nest/", "wss://example.org/nest/attach"],
    ["ws://[::1]:9/attach", "ws://[::1]:9/attach"],
    ["http://user:secret@h/?token=x#y", "ws://h/attach"],
  ])("%s", (base, url) => expect(attachUrl(base)).toBe(url));

  test.each(["nonsense", "file:///etc", "javascript:1"])("refuses %s", (base) =>
    expect(() => attachUrl(base)).toThrow(TypeError),
  );
});
