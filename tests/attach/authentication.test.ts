import { describe, expect, test } from "bun:test";
import { AttachClient, attach } from "../support/attach-client.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { BEARER, TOKEN, testGateway } from "../support/gateway.ts";
import { RawConnection, rawRequest, wsFrame, wsHandshake } from "../support/raw-http.ts";
import { until } from "../support/until.ts";

describe("/attach, the ways in", () => {
  test("by header: auth_ok and attached come by themselves, also for a frame sent with the upgrade", async () => {
    await using gateway = testGateway();
    using connection = new RawConnection(gateway.port);
    const handshake = wsHandshake(gateway.host, { headers: `Authorization: Bearer ${TOKEN}\r\n` });
    connection.write(
      Buffer.concat([Buffer.from(handshake), wsFrame('{"id":"early","type":"get_state"}')]),
    );
    await until("the reply to the frame that came with the upgrade", () =>
      connection.received.includes('"id":"early"'),
    );
    const text = connection.received.toString();
    expect(text.startsWith("HTTP/1.1 101")).toBe(true);
    expect(text.indexOf('"auth_ok"')).toBeGreaterThan(0);
    expect(text.indexOf('"attached"')).toBeGreaterThan(text.indexOf('"auth_ok"'));
    expect(text.indexOf('"id":"early"')).toBeGreaterThan(text.indexOf('"attached"'));
  });

  test("by first message: auth_ok says protocol, version, session and limits; attached says where the session stands", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    expect(await client.ofType("auth_ok")).toEqual({
      type: "auth_ok",
      protocol: 1,
      version: "0.1.0",
      session: "default",
      limits: { maxFrameBytes: 1_048_576, commandsPerMinute: 120, maxUnreadBytes: 8_388_608 },
    });
    expect(await client.ofType("attached")).toEqual({
      type: "attached",
      session: "default",
      seq: expect.any(Number),
      state: "idle",
      resync: false,
      scripted: true,
    });
  });

  test("commands in one segment behind the right token run, in order", async () => {
    await using gateway = testGateway();
    using connection = new RawConnection(gateway.port);
    connection.write(wsHandshake(gateway.host));
    await until("the upgrade", () => connection.received.includes("101 Switching"));
    const frames = [JSON.stringify({ type: "auth", token: TOKEN })];
    for (let i = 0; i < 20; i++)
      frames.push(JSON.stringify({ id: i, type: i % 2 ? "get_state" : "nonsense" }));
    connection.write(Buffer.concat(frames.map((frame) => wsFrame(frame))));
    await until("the last reply", () => connection.received.includes('"id":19'));
    const text = connection.received.toString();
    const positions = Array.from({ length: 10 }, (_, i) => text.indexOf(`"id":${2 * i + 1},`));
    expect(positions.every((position, i) => position > (positions[i - 1] ?? 0))).toBe(true);
    expect(text.indexOf('"attached"')).toBeLessThan(text.indexOf('"id":0'));
  });

  test("an unknown session is told only to those with a token", async () => {
    await using gateway = testGateway();
    for (const session of ["nowhere", "__proto__", "constructor", "..%2Fdefault", ""]) {
      const path = `/attach?session=${session}`;
      const known = await rawRequest(
        gateway.port,
        wsHandshake(gateway.host, { path, headers: `Authorization: Bearer ${TOKEN}\r\n` }),
      );
      expect([session, known.status]).toEqual([session, 404]);
      const client = await new AttachClient(`ws://${gateway.host}${path}`).opened();
      client.send({ type: "auth", token: TOKEN });
      expect(await client.closed()).toEqual({ code: 4004, reason: "session_not_found" });
    }
  });

  test("a token without the scope gets nothing; one for prompt may talk and read but not run bash", async () => {
    const tokens = [
      { name: "hook", token: "nest_for-webhooks-0123456789abcdefgh", scopes: ["webhook"] },
      { name: "talker", token: "nest_for-talking-0123456789abcdefghi", scopes: ["prompt"] },
    ];
    await using gateway = testGateway({ config: { server: { tokens } } });
    const headers = `Authorization: Bearer ${tokens[0]?.token}\r\n`;
    const refused = await rawRequest(gateway.port, wsHandshake(gateway.host, { headers }));
    expect([refused.status, refused.headers["www-authenticate"]]).toEqual([
      403,
      'Bearer error="insufficient_scope", scope="attach"',
    ]);
    const client = await new AttachClient(gateway.attachUrl).opened();
    client.send({ type: "auth", token: tokens[0]?.token });
    expect((await client.ofType("error"))["code"]).toBe("insufficient_scope");
    expect((await client.closed()).code).toBe(4003);

    await using talker = await attach(gateway.attachUrl, tokens[1]?.token ?? "");
    talker.send({ id: 1, type: "bash", command: "touch was-here" });
    expect(await talker.reply(1)).toMatchObject({ success: false, code: "insufficient_scope" });
    talker.send({ id: 2, type: "get_messages" });
    expect(await talker.reply(2)).toMatchObject({ success: true });
    expect(await Bun.file(`${gateway.dir}/vault/was-here`).exists()).toBe(false);
  });
});

describe("/attach before authentication", () => {
  test("a silent socket is closed after 5 s with auth_timeout and 4001", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({ clock });
    const client = await new AttachClient(gateway.attachUrl).opened();
    await until("the socket is known", async () => {
      const response = await fetch(`${gateway.url}/api/status`, { headers: BEARER });
      return ((await response.json()) as { sockets: number }).sockets === 1;
    });
    clock.advance(4999);
    expect(client.close).toBeUndefined();
    clock.advance(1);
    expect((await client.closed()).code).toBe(4001);
    expect(client.frames).toEqual([{ type: "error", code: "auth_timeout" }]);
    expect(gateway.logged("auth_failed")).toEqual([]);
  });

  test("pings do not keep a silent socket alive, and a flood of them ends it", async () => {
    await using gateway = testGateway();
    using connection = new RawConnection(gateway.port);
    connection.write(wsHandshake(gateway.host));
    await until("the upgrade", () => connection.received.includes("101 Switching"));
    for (let i = 0; i < 20; i++) connection.write(wsFrame("", { opcode: 9 }));
    await until("it is cut off", () => connection.isClosed);
  });

  test.each([
    { name: "wrong token", frame: '{"type":"auth","token":"nest_wrong"}' },
    { name: "empty token", frame: '{"type":"auth","token":""}' },
    { name: "token of another type", frame: '{"type":"auth","token":{"$ne":""}}' },
    { name: "no token", frame: '{"type":"auth"}' },
    { name: "a command", frame: '{"id":"x","type":"bash","command":"touch was-here"}' },
    { name: "the token under another type", frame: `{"type":"AUTH","token":"${TOKEN}"}` },
    { name: "the token in a list", frame: `[{"type":"auth","token":"${TOKEN}"}]` },
    { name: "null", frame: "null" },
    { name: "not JSON", frame: "{" },
    { name: "nested 2,000 deep", frame: "[".repeat(2000) },
    {
      name: "the right token in a frame over 4 KiB",
      frame: JSON.stringify({ type: "auth", token: TOKEN, x: "y".repeat(4096) }),
    },
    {
      name: "the right token, binary",
      frame: Buffer.from(JSON.stringify({ type: "auth", token: TOKEN })),
      opcode: 2,
    },
  ])(
    "$name: unauthorized, 4003, counted, and nothing behind it runs",
    async ({ frame, opcode = 1 }) => {
      await using gateway = testGateway();
      using connection = new RawConnection(gateway.port);
      connection.write(wsHandshake(gateway.host));
      await until("the upgrade", () => connection.received.includes("101 Switching"));
      const behind = [
        JSON.stringify({ type: "auth", token: TOKEN }),
        ...Array.from(
          { length: 10 },
          () => '{"id":"run","type":"bash","command":"touch was-here"}',
        ),
      ];
      connection.write(
        Buffer.concat([wsFrame(frame, { opcode }), ...behind.map((one) => wsFrame(one))]),
      );
      await until("the close frame", () => connection.received.includes(Buffer.from([0x0f, 0xa3])));
      const text = connection.received.toString();
      expect(text).toContain('{"type":"error","code":"unauthorized"}');
      expect(text).not.toContain("auth_ok");
      expect(text).not.toContain('"run"');
      expect(gateway.logged("auth_failed")).toHaveLength(1);
      expect(await Bun.file(`${gateway.dir}/vault/was-here`).exists()).toBe(false);
    },
  );

  test("a first message in fragments is one message", async () => {
    await using gateway = testGateway();
    using connection = new RawConnection(gateway.port);
    connection.write(wsHandshake(gateway.host));
    const frame = JSON.stringify({ type: "auth", token: TOKEN });
    connection.write(wsFrame(frame.slice(0, 10), { fin: false }));
    connection.write(wsFrame(frame.slice(10, 20), { opcode: 0, fin: false }));
    connection.write(wsFrame(frame.slice(20), { opcode: 0 }));
    await until("auth_ok", () => connection.received.includes("auth_ok"));
  });

  test("a frame over 1 MiB, whole or in fragments, ends the socket", async () => {
    await using gateway = testGateway();
    for (const whole of [true, false]) {
      using connection = new RawConnection(gateway.port);
      connection.write(wsHandshake(gateway.host));
      const piece = "x".repeat(whole ? 1024 * 1024 + 1 : 300_000);
      connection.write(wsFrame(piece, { fin: whole }));
      for (let i = 0; i < (whole ? 0 : 5); i++)
        connection.write(wsFrame(piece, { opcode: 0, fin: false }));
      await until("it is closed", () => connection.isClosed);
      expect(connection.received.toString()).not.toContain("auth_ok");
    }
  });

  test("the 17th waiting socket of an address gets 503; 300 cost bounded memory, and the next owner still gets in", async () => {
    await using gateway = testGateway({ config: { server: { trustedProxies: ["127.0.0.1"] } } });
    const from = (address: string) => `X-Forwarded-For: ${address}\r\n`;
    const open: RawConnection[] = [];
    const wait = async (address: string) => {
      const connection = new RawConnection(gateway.port);
      open.push(connection);
      connection.write(wsHandshake(gateway.host, { headers: from(address) }));
      return (await connection.response()).status;
    };
    try {
      for (let i = 0; i < 16; i++) expect(await wait("192.0.2.1")).toBe(101);
      expect(await wait("192.0.2.1")).toBe(503);
      expect(await wait("192.0.2.2")).toBe(101);
      Bun.gc(true);
      const before = process.memoryUsage.rss();
      for (let i = 0; i < 300; i++) expect(await wait(`198.51.100.${i % 250}`)).toBe(101);
      // Unfinished first messages, as large as a first message may be.
      for (const connection of open) connection.write(wsFrame("x".repeat(4000), { fin: false }));
      await until("the oldest of the busiest address are sent away", () =>
        open.some((one) => one.isClosed),
      );
      expect(process.memoryUsage.rss() - before).toBeLessThan(96 * 1024 * 1024);
      const waiting = () =>
        open.filter((one) => !one.isClosed && one.received.includes("101 Switching")).length;
      await until("256 are left", () => waiting() <= 256);
      const owner = new AttachClient(gateway.attachUrl, { "X-Forwarded-For": "203.0.113.5" });
      await using _ = owner;
      await owner.opened();
      owner.send({ type: "auth", token: TOKEN });
      await owner.ofType("attached");
    } finally {
      for (const connection of open) connection[Symbol.dispose]();
    }
  });

  test("a waiting socket whose address is locked by then gets locked_out, right token or not", async () => {
    await using gateway = testGateway();
    const waiting = [
      await new AttachClient(gateway.attachUrl).opened(),
      await new AttachClient(gateway.attachUrl).opened(),
    ];
    for (let i = 0; i < 10; i++) await fetch(`${gateway.url}/api/status`);
    waiting[0]?.send({ type: "auth", token: TOKEN });
    waiting[1]?.send({ type: "auth", token: "nest_wrong" });
    for (const client of waiting) {
      expect((await client.closed()).code).toBe(4003);
      expect(client.frames).toEqual([{ type: "error", code: "locked_out", retryAfterSeconds: 60 }]);
    }
  });
});

describe("/attach, Origin", () => {
  const origins = (host: string) => [
    "https://evil.test",
    "null",
    "file://",
    "",
    `https://${host}`,
    `http://${host}.evil.test`,
    `http://${host}.`,
    `http://evil.test/${host}`,
    `http://${host}@evil.test`,
    "http://127.0.0.1:1",
    "http://127.0.0.1",
    "http://localhost",
    `HTTP://${host}`,
    `http://${host}, http://${host}`,
    `http://${host}/`,
  ];

  test("foreign, null and look-alike ones get 403 before the upgrade and are logged, not counted", async () => {
    await using gateway = testGateway();
    for (const origin of origins(gateway.host)) {
      const headers = `Origin: ${origin}\r\n`;
      const { status, body } = await rawRequest(
        gateway.port,
        wsHandshake(gateway.host, { headers }),
      );
      expect([origin, status]).toEqual([origin, 403]);
      expect(body).toContain("origin_refused");
    }
    expect(gateway.logged("origin_refused")).toHaveLength(origins("").length);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  });

  test("two Origin headers get 403, the server's own and configured ones pass, and so does none", async () => {
    await using gateway = testGateway({
      config: { server: { cors: { origin: "https://notes.example.org" } } },
    });
    const own = `http://${gateway.host}`;
    const status = async (headers: string) =>
      (await rawRequest(gateway.port, wsHandshake(gateway.host, { headers }))).status;
    expect(await status(`Origin: ${own}\r\nOrigin: ${own}\r\n`)).toBe(403);
    expect(await status(`Origin: ${own}\r\n`)).toBe(101);
    expect(await status("Origin: https://notes.example.org\r\n")).toBe(101);
    expect(await status("")).toBe(101);
  });

  test("behind a trusted proxy the own origin is the one it forwards", async () => {
    const server = { trustedProxies: ["127.0.0.1"], hosts: ["nest.example.org"] };
    await using gateway = testGateway({ config: { server } });
    const status = async (origin: string, proto: string) => {
      const headers = `X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: ${proto}\r\nOrigin: ${origin}\r\n`;
      return (await rawRequest(gateway.port, wsHandshake("nest.example.org", { headers }))).status;
    };
    expect(await status("https://nest.example.org", "https")).toBe(101);
    expect(await status("http://nest.example.org", "https")).toBe(403);
    expect(await status("http://nest.example.org", "http")).toBe(101);
  });
});

describe("/attach, tokens that end", () => {
  const phone = {
    name: "phone",
    token: "nest_of-the-phone-0123456789abcdefghi",
    scopes: ["attach"],
  };

  test("a reload closes the sockets of a token that went with 4003 and leaves the others", async () => {
    await using gateway = testGateway({ config: { server: { tokens: [phone] } } });
    await using owner = await attach(gateway.attachUrl, TOKEN);
    const lost = await attach(gateway.attachUrl, phone.token);
    gateway.reconfigure({});
    expect((await lost.closed()).code).toBe(4003);
    expect(lost.frames.at(-1)).toEqual({ type: "error", code: "unauthorized" });
    owner.send({ id: 1, type: "get_state" });
    expect(await owner.reply(1)).toMatchObject({ success: true });
    const again = await fetch(`${gateway.url}/api/status`, {
      headers: { Authorization: `Bearer ${phone.token}` },
    });
    expect(again.status).toBe(401);
  });

  test("a token that expires closes its sockets then", async () => {
    const clock = new FakeClock();
    const expires = new Date(clock.wallMs() + 3_600_000).toISOString();
    await using gateway = testGateway({
      clock,
      config: { server: { tokens: [{ ...phone, expires }] } },
    });
    const client = await attach(gateway.attachUrl, phone.token);
    clock.advance(3_599_999);
    expect(client.close).toBeUndefined();
    clock.advance(1);
    expect((await client.closed()).code).toBe(4003);
  });
});

describe("/attach, limits after authentication", () => {
  test("malformed frames are answered and the socket stays; null does not kill the agent", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    const bad = [
      "null",
      "[]",
      '"x"',
      "5",
      "{",
      "",
      '{"type":5}',
      '{"no":"type"}',
      '{"id":{},"type":"get_state"}',
      "[".repeat(100_000),
    ];
    for (const frame of bad) client.send(frame);
    client.socket.send(Buffer.from("{}"));
    await until(
      "all are answered",
      () =>
        client.frames.filter((frame) => frame["code"] === "bad_frame").length === bad.length + 1,
    );
    client.send({ id: "alive", type: "get_state" });
    expect(await client.reply("alive")).toMatchObject({ success: true, command: "get_state" });
    expect(gateway.logged("agent_exited")).toEqual([]);
  });

  test("commands with paths of the host, unknown ones and unknown fields are not passed on", async () => {
    await using gateway = testGateway();
    await using client = await attach(gateway.attachUrl, TOKEN);
    const refused = [
      { type: "switch_session", sessionPath: "/etc/passwd" },
      { type: "export_html", outputPath: "/tmp/x.html" },
      { type: "new_session", parentSession: "/etc/passwd" },
      { type: "nonsense" },
      { type: "__proto__" },
      { type: "constructor" },
      { type: "auth", token: TOKEN },
      { type: "prompt" },
      { type: "prompt", message: { toString: "x" } },
      { type: "prompt", message: "x", parent: "y" },
    ];
    for (const [i, command] of refused.entries()) {
      client.send({ id: `r${i}`, ...command });
      expect(await client.reply(`r${i}`)).toMatchObject({ success: false, command: command.type });
    }
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  test("the 121st command in a minute is refused with rate_limited, and later ones work again", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({ clock });
    await using client = await attach(gateway.attachUrl, TOKEN);
    for (let i = 0; i <= 121; i++) client.send({ id: i, type: "nonsense" });
    expect(await client.reply(119)).toMatchObject({ code: "unknown_command" });
    expect(await client.reply(120)).toMatchObject({
      success: false,
      code: "rate_limited",
      command: "nonsense",
    });
    await client.reply(121);
    clock.advance(60_000);
    client.send({ id: "later", type: "nonsense" });
    expect(await client.reply("later")).toMatchObject({ code: "unknown_command" });
  });
});

test("/attach without an upgrade: 426 with a token, 401 without; a bad since is 400", async () => {
  await using gateway = testGateway();
  expect((await fetch(`${gateway.url}/attach`, { headers: BEARER })).status).toBe(426);
  expect((await fetch(`${gateway.url}/attach`)).status).toBe(401);
  for (const since of ["x", "-1", "1e3", "9".repeat(17)]) {
    const { status } = await rawRequest(
      gateway.port,
      wsHandshake(gateway.host, { path: `/attach?since=${since}` }),
    );
    expect([since, status]).toEqual([since, 400]);
  }
});
