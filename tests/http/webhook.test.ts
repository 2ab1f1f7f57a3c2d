import { afterAll, beforeAll, describe, expect, test, setDefaultTimeout } from "bun:test";
import { TOKEN, BEARER, type TestGateway, testGateway } from "../support/gateway.ts";
import { RawConnection, rawRequest } from "../support/raw-http.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { until } from "../support/until.ts";
import {
  BEARER_SECRET,
  bearerDelivery,
  type Delivery,
  githubDelivery,
  send,
  SOURCES,
  standardDelivery,
} from "../support/webhook-sender.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

const JSON_TYPE = { "Content-Type": "application/json" };
const LIMIT = 256 * 1024;
const ROOMY = { perSource: 1000, global: 1000, sources: SOURCES };
const NO_LOCK = { rateLimit: { maxFailures: 1000 } };

function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${url}/api/webhook`, {
    method: "POST",
    headers: { ...BEARER, ...JSON_TYPE, ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

const codeOf = async (response: Response) =>
  [response.status, ((await response.json()) as { code?: string }).code] as const;

const DELIVERIES: { name: string; make: (text: string) => Delivery }[] = [
  { name: "github", make: (text) => githubDelivery(JSON.stringify({ action: text })) },
  { name: "standard", make: (text) => standardDelivery(JSON.stringify({ text })) },
  { name: "bearer", make: (text) => bearerDelivery(JSON.stringify({ text })) },
];

describe("POST /api/webhook/{source}", () => {
  let gateway: TestGateway;
  beforeAll(() => (gateway = testGateway({ config: { server: NO_LOCK, webhooks: ROOMY } })));
  afterAll(() => gateway[Symbol.asyncDispose]());

  test.each(DELIVERIES)("$name: a good delivery is 202 with id and session", async ({ make }) => {
    const response = await send(gateway.url, make("first"));
    expect(response.status).toBe(202);
    expect(await response.json()).toEqual({
      id: expect.stringMatching(/^wh_[0-9a-f-]{36}$/),
      session: "default",
    });
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("ratelimit-policy")).toBe(
      '"source";q=1000;w=60, "global";q=1000;w=60',
    );
    expect(response.headers.get("ratelimit")).toMatch(/^"source";r=\d+;t=60, "global";r=\d+;t=60$/);
  });

  test.each(DELIVERIES)(
    "$name: one flipped bit in body or credential is 401",
    async ({ name, make }) => {
      const good = make("flip");
      const wrong: Delivery[] = [];
      for (const [header, value] of Object.entries(good.headers)) {
        if (!/signature|authorization|webhook-id|timestamp/i.test(header)) continue;
        const last = String.fromCharCode(value.charCodeAt(value.length - 2) ^ 1);
        const flipped = value.slice(0, -2) + last + value.slice(-1);
        wrong.push({ ...good, headers: { ...good.headers, [header]: flipped } });
      }
      if (name !== "bearer") wrong.push({ ...good, body: good.body.replace("flip", "flhp") });
      for (const delivery of wrong) {
        const response = await send(gateway.url, delivery);
        expect(response.headers.get("www-authenticate")).toBe("Bearer");
        expect(await codeOf(response)).toEqual([401, "unauthorized"]);
      }
      expect((await send(gateway.url, good)).status).toBe(202);
    },
  );

  test("JSON parsed and written anew is refused, a clock too far off too", async () => {
    const good = standardDelivery('{ "a": 1 }');
    expect((await send(gateway.url, { ...good, body: '{"a":1}' })).status).toBe(401);
    for (const skewMs of [-301_000, 301_000]) {
      const skewed = standardDelivery('{"a":2}', { nowMs: Date.now() + skewMs });
      expect((await send(gateway.url, skewed)).status).toBe(401);
    }
    expect(
      (await send(gateway.url, standardDelivery('{"a":3}', { nowMs: Date.now() - 280_000 })))
        .status,
    ).toBe(202);
  });

  test("the owner's token is none here, and a source's secret is none anywhere else", async () => {
    for (const source of ["ci", "github", "standard", "nope"]) {
      const response = await fetch(`${gateway.url}/api/webhook/${source}`, {
        method: "POST",
        headers: { ...BEARER, ...JSON_TYPE },
        body: "{}",
      });
      expect([source, response.status]).toEqual([source, 401]);
    }
    const secret = { Authorization: `Bearer ${BEARER_SECRET}` };
    for (const path of [
      "/api/status",
      "/api/lockouts",
      "/api/metrics",
      "/attach",
      "/api/webhook",
      "/api/webhook/ci",
    ]) {
      expect([path, (await fetch(gateway.url + path, { headers: secret })).status]).toEqual([
        path,
        401,
      ]);
    }
    expect((await post(gateway.url, { message: "x" }, secret)).status).toBe(401);
    expect(
      (await send(gateway.url, { ...bearerDelivery("{}"), path: "/api/webhook/github" })).status,
    ).toBe(401);
  });

  test("a source that is not there looks like one that is", async () => {
    const answers = [];
    for (const source of ["github", "nope", "standard", "ci", "git%2fhub", "constructor"]) {
      for (const headers of [
        {},
        { "X-Hub-Signature-256": `sha256=${"0".repeat(64)}` },
        { "webhook-signature": "v1,x" },
      ]) {
        const response = await fetch(`${gateway.url}/api/webhook/${source}`, {
          method: "POST",
          headers: { ...JSON_TYPE, ...headers },
          body: "{}",
        });
        const { detail } = (await response.json()) as { detail: string };
        answers.push(`${response.status} ${response.headers.get("www-authenticate")} ${detail}`);
      }
    }
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toStartWith("401 Bearer");
  });

  test("a replayed id gets the first answer and runs nothing", async () => {
    const github = githubDelivery('{"action":"replayed"}', "delivery-1");
    const first = await (await send(gateway.url, github)).json();
    expect(await (await send(gateway.url, github)).json()).toEqual(first);
    // GitHub's id is not signed: recorded bytes under another id are the same delivery.
    expect(
      await (await send(gateway.url, githubDelivery('{"action":"replayed"}', "delivery-2"))).json(),
    ).toEqual(first);
    expect(
      await codeOf(await send(gateway.url, githubDelivery('{"action":"other"}', "delivery-1"))),
    ).toEqual([422, "idempotency_key_reused"]);

    const standard = await (
      await send(gateway.url, standardDelivery('{"n":1}', { id: "msg_1" }))
    ).json();
    // A retry is signed anew.
    const retry = standardDelivery('{"n":1}', { id: "msg_1", nowMs: Date.now() - 5000 });
    expect(
      await (
        await send(gateway.url, {
          ...retry,
          headers: { ...retry.headers, "Idempotency-Key": "other" },
        })
      ).json(),
    ).toEqual(standard);
    expect((await send(gateway.url, standardDelivery('{"n":2}', { id: "msg_1" }))).status).toBe(
      422,
    );

    const key = { "Idempotency-Key": "k-1" };
    const bearer = await (await send(gateway.url, bearerDelivery("{}", key))).json();
    expect(await (await send(gateway.url, bearerDelivery("{}", key))).json()).toEqual(bearer);
    expect(await (await send(gateway.url, bearerDelivery("{}"))).json()).not.toEqual(bearer);
  });

  test("twins that arrive together run once", async () => {
    const twin = githubDelivery('{"action":"twins"}', "twins");
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => send(gateway.url, twin).then((r) => r.text())),
    );
    expect(new Set(answers).size).toBe(1);
    expect(
      gateway.lines.filter(
        ({ event, id }) => event === "webhook_delivered" && answers[0]?.includes(String(id)),
      ).length,
    ).toBeLessThanOrEqual(1);
  });

  test.each([
    {
      name: "not JSON",
      delivery: () => githubDelivery("Hello, World!"),
      code: [400, "bad_json"],
    },
    {
      name: "10,000 deep",
      delivery: () => githubDelivery("[".repeat(10_000) + "]".repeat(10_000)),
      code: [400, "bad_json"],
    },
    { name: "no UTF-8", delivery: () => bearerDelivery("\ud800"), code: undefined },
    {
      name: "a form",
      delivery: () =>
        bearerDelivery("payload=%7B%7D", { "Content-Type": "application/x-www-form-urlencoded" }),
      code: [415, "unsupported_media_type"],
    },
    {
      name: "text where a template wants JSON",
      delivery: () => ({
        ...githubDelivery("x"),
        headers: { ...githubDelivery("x").headers, "Content-Type": "text/plain" },
      }),
      code: [415, "unsupported_media_type"],
    },
    {
      name: "compressed",
      delivery: () => bearerDelivery("{}", { "Content-Encoding": "gzip" }),
      code: [415, "unsupported_encoding"],
    },
    {
      name: "too large",
      delivery: () => bearerDelivery(JSON.stringify("x".repeat(LIMIT))),
      code: [413, "body_too_large"],
    },
    {
      name: "a key with a space",
      delivery: () => bearerDelivery("{}", { "Idempotency-Key": "a b" }),
      code: [400, "bad_request"],
    },
    {
      name: "empty text",
      delivery: () => bearerDelivery(" ", { "Content-Type": "text/plain" }),
      code: [400, "bad_request"],
    },
  ])("refuses what is $name, after the credential", async ({ delivery, code }) => {
    if (code === undefined) return;
    expect(await codeOf(await send(gateway.url, delivery()))).toEqual(code as never);
    const stranger = delivery();
    const headers = { ...stranger.headers, Authorization: "Bearer wrong" };
    delete (headers as Record<string, string>)["X-Hub-Signature-256"];
    expect((await send(gateway.url, { ...stranger, headers })).status).toBe(401);
  });
});

describe("POST /api/webhook", () => {
  let gateway: TestGateway;
  beforeAll(
    () =>
      (gateway = testGateway({
        config: {
          server: {
            ...NO_LOCK,
            tokens: [
              { name: "hook", token: `hook-${TOKEN}`, scopes: ["webhook"] },
              {
                name: "phone",
                token: `phone-${TOKEN}`,
                scopes: ["attach", "prompt", "vault:read", "vault:write", "admin"],
              },
            ],
          },
          webhooks: ROOMY,
        },
      })),
  );
  afterAll(() => gateway[Symbol.asyncDispose]());

  test("takes a message from the owner and from a token with the scope, and from no other", async () => {
    expect((await post(gateway.url, { message: "hi" })).status).toBe(202);
    expect(
      (await post(gateway.url, { message: "hi" }, { Authorization: `Bearer hook-${TOKEN}` }))
        .status,
    ).toBe(202);
    const refused = await post(
      gateway.url,
      { message: "hi" },
      { Authorization: `Bearer phone-${TOKEN}` },
    );
    expect(refused.headers.get("www-authenticate")).toBe(
      'Bearer error="insufficient_scope", scope="webhook"',
    );
    expect(await codeOf(refused)).toEqual([403, "insufficient_scope"]);
  });

  test.each([
    { name: "null", body: "null" },
    { name: "a list", body: "[]" },
    { name: "a string", body: '"x"' },
    { name: "nothing", body: "" },
    { name: "no message", body: "{}" },
    { name: "an empty message", body: '{"message":"  "}' },
    { name: "a message that is a mapping", body: '{"message":{"raw":"x"}}' },
    { name: "a source that is none", body: '{"message":"x","source":"../x"}' },
    { name: "a source of 65", body: `{"message":"x","source":"${"a".repeat(65)}"}` },
    { name: "upper case", body: '{"message":"x","source":"GitHub"}' },
    { name: "a session that is a number", body: '{"message":"x","session":1}' },
    { name: "another field", body: '{"message":"x","role":"system"}' },
    { name: "a prototype", body: '{"message":"x","__proto__":{"polluted":1}}' },
    { name: "the message in the prototype", body: '{"__proto__":{"message":"x"}}' },
    { name: "a depth bomb", body: '{"message":'.repeat(100_00) },
    { name: "no UTF-8", body: undefined },
  ])("refuses $name with 400", async ({ body }) => {
    const response = await fetch(`${gateway.url}/api/webhook`, {
      method: "POST",
      headers: { ...BEARER, ...JSON_TYPE },
      body: body ?? new Uint8Array([0x7b, 0xff, 0x7d]),
    });
    expect(await codeOf(response)).toEqual([400, expect.stringMatching(/^bad_(request|json)$/)]);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("other refusals: type, session, size", async () => {
    expect(
      await codeOf(await post(gateway.url, { message: "x" }, { "Content-Type": "text/plain" })),
    ).toEqual([415, "unsupported_media_type"]);
    for (const session of ["nope", "__proto__", "constructor", "../default", ""])
      expect(await codeOf(await post(gateway.url, { message: "x", session }))).toEqual([
        404,
        "session_not_found",
      ]);
    expect(await codeOf(await post(gateway.url, { message: "x".repeat(LIMIT) }))).toEqual([
      413,
      "body_too_large",
    ]);
    expect((await post(gateway.url, { message: "x".repeat(LIMIT - 100) })).status).toBe(202);
  });

  test("keys are remembered over a restart of the server", async () => {
    const dir = { config: { webhooks: ROOMY } };
    await using before = testGateway(dir);
    const headers = { "Idempotency-Key": "over-restart" };
    const first = await (await post(before.url, { message: "once" }, headers)).json();
    await before.gateway.stop();
    await using after = testGateway({ ...dir, dir: before.dir });
    expect(await (await post(after.url, { message: "once" }, headers)).json()).toEqual(first);
    expect((await post(after.url, { message: "twice" }, headers)).status).toBe(422);
  });

  const head = (headers: string) =>
    `POST /api/webhook HTTP/1.1\r\nHost: ${gateway.host}\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\n${headers}\r\n`;

  test("413 before the body is there: announced, and in chunks", async () => {
    using announced = new RawConnection(gateway.port);
    announced.write(head(`Content-Length: ${LIMIT + 1}\r\n`));
    expect((await announced.response()).status).toBe(413);
    using chunked = new RawConnection(gateway.port);
    chunked.write(head("Transfer-Encoding: chunked\r\n"));
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    // One byte more than is allowed, and never the end.
    for (let i = 0; i < 4; i++) chunked.write(chunk);
    chunked.write("1\r\nx\r\n");
    expect((await chunked.response()).status).toBe(413);
  });

  test("a stranger is refused before a byte of the body is there", async () => {
    for (const path of ["/api/webhook", "/api/webhook/ci", "/api/webhook/github"]) {
      const response = await rawRequest(
        gateway.port,
        `POST ${path} HTTP/1.1\r\nHost: ${gateway.host}\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n`,
      );
      expect([path, response.status]).toEqual([path, 401]);
    }
  });
});

describe("webhook limits", () => {
  test("31 sources once each: the 31st is 429 with Retry-After and RateLimit", async () => {
    await using gateway = testGateway();
    for (let i = 0; i < 30; i++)
      expect((await post(gateway.url, { message: "x", source: `s${i}` })).status).toBe(202);
    const refused = await post(gateway.url, { message: "x", source: "s30" });
    const retry = Number(refused.headers.get("retry-after"));
    expect(retry).toBeGreaterThan(0);
    expect(retry).toBeLessThanOrEqual(60);
    expect(refused.headers.get("ratelimit-policy")).toBe('"source";q=10;w=60, "global";q=30;w=60');
    expect(refused.headers.get("ratelimit")).toMatch(/^"source";r=10;t=0, "global";r=0;t=\d+$/);
    expect(await codeOf(refused)).toEqual([429, "webhook_limited"]);
    expect(gateway.logged("webhook_limited")).toMatchObject([{ source: "s30", token: "owner" }]);
  });

  test("11 from one: the 11th is 429, another source is accepted; refused ones count nothing", async () => {
    await using gateway = testGateway({ config: { webhooks: { sources: SOURCES } } });
    const from = (source: string, more = {}) =>
      post(gateway.url, { message: "x", source, ...more });
    for (let i = 0; i < 5; i++) {
      expect((await from("a", { session: "nope" })).status).toBe(404);
      expect((await post(gateway.url, "{")).status).toBe(400);
      expect(
        (await post(gateway.url, { message: "x", source: "a" }, { Authorization: "Bearer wrong" }))
          .status,
      ).toBe(401);
    }
    for (let i = 0; i < 10; i++) expect((await from("a")).status).toBe(202);
    expect((await from("a")).status).toBe(429);
    // Not of the order 429 before 400: what is wrong is told first.
    expect((await from("a", { session: 1 })).status).toBe(400);
    expect((await from("b")).status).toBe(202);
    // The configured sources have their own, whatever a token calls itself.
    for (let i = 0; i < 10; i++)
      expect((await send(gateway.url, githubDelivery(`{"action":"${i}"}`))).status).toBe(202);
    expect((await send(gateway.url, githubDelivery('{"action":"10"}'))).status).toBe(429);
    expect((await from("github")).status).toBe(202);
  });

  test("a replay is answered though the quota is used up", async () => {
    await using gateway = testGateway({ config: { webhooks: { perSource: 1 } } });
    const headers = { "Idempotency-Key": "k" };
    const first = await (await post(gateway.url, { message: "x" }, headers)).json();
    expect((await post(gateway.url, { message: "y" })).status).toBe(429);
    expect(await (await post(gateway.url, { message: "x" }, headers)).json()).toEqual(first);
  });
});

describe("webhooks and the lock-out", () => {
  test.each([
    { name: "wrong signatures", delivery: () => ({ ...githubDelivery("{}"), body: "{ }" }) },
    {
      name: "wrong bearer secrets",
      delivery: () => bearerDelivery("{}", { Authorization: "Bearer guess" }),
    },
    {
      name: "unknown sources",
      delivery: () => ({ ...githubDelivery("{}"), path: "/api/webhook/nope" }),
    },
    { name: "no credential", delivery: () => ({ ...bearerDelivery("{}"), headers: JSON_TYPE }) },
    { name: "the owner's token", delivery: () => bearerDelivery("{}", BEARER) },
  ])(
    "$name count: ten lock the address out, for the right one and the owner, too",
    async ({ delivery }) => {
      await using gateway = testGateway({ config: { webhooks: { sources: SOURCES } } });
      for (let i = 0; i < 10; i++) expect((await send(gateway.url, delivery())).status).toBe(401);
      expect(await codeOf(await send(gateway.url, delivery()))).toEqual([429, "locked_out"]);
      expect((await send(gateway.url, githubDelivery("{}"))).status).toBe(429);
      expect((await fetch(`${gateway.url}/api/status`, { headers: BEARER })).status).toBe(429);
      expect(gateway.logged("auth_failed")).toHaveLength(10);
      expect(JSON.stringify(gateway.lines)).not.toContain(BEARER_SECRET);
    },
  );

  test("of sixteen forged deliveries that wait for their last byte at once, ten are compared", async () => {
    await using gateway = testGateway({ config: { webhooks: { sources: SOURCES } } });
    const connections = Array.from({ length: 17 }, () => {
      const connection = new RawConnection(gateway.port);
      connection.write(
        `POST /api/webhook/github HTTP/1.1\r\nHost: ${gateway.host}\r\nX-Hub-Signature-256: sha256=${"0".repeat(64)}\r\nContent-Length: 2\r\n\r\n{`,
      );
      return connection;
    });
    try {
      // An address has sixteen places: once the seventeenth is refused, sixteen are past the pipeline.
      const refused = await until("one is refused", () =>
        connections.find(({ received }) => received.length > 0),
      );
      const waiting = connections.filter((connection) => connection !== refused);
      for (const connection of waiting) connection.write("}");
      const answers = await Promise.all(waiting.map((connection) => connection.response()));
      const count = (status: number) => answers.filter((answer) => answer.status === status).length;
      expect([count(401), count(429)]).toEqual([10, 6]);
    } finally {
      for (const connection of connections) connection[Symbol.dispose]();
    }
  });

  test("a request of another site's page without credentials is refused but not counted", async () => {
    await using gateway = testGateway({ config: { webhooks: { sources: SOURCES } } });
    for (let i = 0; i < 20; i++) {
      const response = await fetch(`${gateway.url}/api/webhook/ci`, {
        method: "POST",
        headers: { "Sec-Fetch-Site": "cross-site" },
        body: "x",
      });
      expect(response.status).toBe(401);
    }
    expect(gateway.logged("auth_failed")).toHaveLength(0);
  });
});

describe("bodies that come slowly", () => {
  test("408 after ten seconds, by the clock", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({ clock });
    using connection = new RawConnection(gateway.port);
    connection.write(
      `POST /api/webhook HTTP/1.1\r\nHost: ${gateway.host}\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{`,
    );
    await until("it is told", () => {
      clock.advance(1000);
      return connection.received.length > 0;
    });
    expect((await connection.response()).status).toBe(408);
  });

  test("one address has sixteen places, others have theirs", async () => {
    await using gateway = testGateway({
      config: { server: { trustedProxies: ["127.0.0.1"] }, webhooks: { sources: SOURCES } },
    });
    const open = (address: string) => {
      const connection = new RawConnection(gateway.port);
      connection.write(
        `POST /api/webhook/github HTTP/1.1\r\nHost: ${gateway.host}\r\nX-Forwarded-For: ${address}\r\nX-Hub-Signature-256: sha256=00\r\nContent-Length: 10\r\n\r\n{`,
      );
      return connection;
    };
    const flood = Array.from({ length: 17 }, () => open("192.0.2.1"));
    try {
      const refused = await until("one is refused", () =>
        flood.find(({ received }) => received.length > 0),
      );
      expect((await refused.response()).status).toBe(503);
      const headers = { ...githubDelivery("{}").headers, "X-Forwarded-For": "192.0.2.2" };
      expect((await send(gateway.url, { ...githubDelivery("{}"), headers })).status).toBe(202);
    } finally {
      for (const connection of flood) connection[Symbol.dispose]();
    }
  });
});
