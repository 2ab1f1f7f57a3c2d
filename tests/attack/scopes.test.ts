import { afterAll, beforeAll, describe, expect, test, setDefaultTimeout } from "bun:test";
import { COMMANDS, type Need, ROUTES } from "../../src/auth/permissions.ts";
import { SCOPES, type Scope } from "../../src/auth/principal.ts";
import { AttachClient, attach } from "../support/attach-client.ts";
import { TOKEN, type TestGateway, testGateway } from "../support/gateway.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

/**
 * A token of each scope against every route and every command. What is expected stands here once more and in other
 * words than in the code: a row that is changed there alone fails.
 */
const tokenOf = (scope: Scope) => `${scope.replace(":", "-")}-${TOKEN}`;
const bearer = (scope: Scope) => ({ Authorization: `Bearer ${tokenOf(scope)}` });
const TOKENS = SCOPES.map((scope) => ({ name: scope, token: tokenOf(scope), scopes: [scope] }));

/** Routes and the scopes that are let in; `*` = all of them. */
const ROUTE_ROWS: Record<string, readonly Scope[] | "*"> = {
  "GET /": "*",
  "GET /s/:session": "*",
  "GET /v": "*",
  "GET /v/*": "*",
  "GET /search": "*",
  "GET /more": "*",
  "GET /assets/:name": "*",
  "GET /sw.js": "*",
  "GET /manifest.webmanifest": "*",
  "GET /icon.svg": "*",
  "GET /icon-192.png": "*",
  "GET /icon-512.png": "*",
  "GET /health": "*",
  "GET /api/status": ["attach", "prompt", "vault:read", "vault:write", "admin"],
  "GET /api/browsers": ["attach", "prompt", "vault:read", "vault:write", "admin"],
  "POST /api/browsers": ["attach", "prompt", "vault:read", "vault:write", "admin"],
  "DELETE /api/browsers/:id": ["attach", "prompt", "vault:read", "vault:write", "admin"],
  "GET /api/sessions": ["attach", "prompt", "vault:read", "vault:write", "admin"],
  "PUT /api/sessions/:name": ["attach", "admin"],
  "DELETE /api/sessions/:name": ["attach", "admin"],
  "GET /api/sessions/:name/messages": ["attach", "prompt"],
  "GET /api/files": ["vault:read"],
  "GET /api/files/": ["vault:read"],
  "PUT /api/files/": ["vault:write"],
  "DELETE /api/files/": ["vault:write"],
  "GET /api/files/:path": ["vault:read"],
  "PUT /api/files/:path": ["vault:write"],
  "DELETE /api/files/:path": ["vault:write"],
  "POST /api/move": ["vault:write"],
  "GET /api/search": ["vault:read"],
  "GET /attach": ["attach", "prompt"],
  "POST /api/webhook": ["webhook"],
  "GET /api/lockouts": ["admin"],
  "DELETE /api/lockouts/:address": ["admin"],
  "GET /api/metrics": ["admin"],
};
/** No token opens it: 401. */
const OWN_CREDENTIAL = "POST /api/webhook/:source";

/** What a `prompt` token may do on a socket; everything else is for `attach`. */
const PROMPT_COMMANDS = new Set([
  "prompt",
  "retry_prompt",
  "steer",
  "follow_up",
  "abort",
  "get_state",
  "get_messages",
  "get_last_assistant_text",
  "get_session_stats",
]);

/** Fields with which a command gets past its shape and does as little as can be. */
const FIELDS: Record<string, object> = {
  prompt: { message: "@say hi" },
  retry_prompt: { prompt: "none" },
  steer: { message: "@say hi" },
  follow_up: { message: "@say hi" },
  bash: { command: "true" },
  fork: { entryId: "none" },
  set_auto_compaction: { enabled: true },
  set_auto_retry: { enabled: true },
  set_follow_up_mode: { mode: "all" },
  set_model: { provider: "none", modelId: "none" },
  set_session_name: { name: "name" },
  set_steering_mode: { mode: "all" },
  set_thinking_level: { level: "off" },
  extension_ui_response: { cancelled: true },
};

describe("scopes", () => {
  let gateway: TestGateway;
  beforeAll(
    () =>
      (gateway = testGateway({
        config: { server: { tokens: TOKENS, rateLimit: { maxFailures: 1000 } } },
      })),
  );
  afterAll(() => gateway[Symbol.asyncDispose]());

  test("every route has its row here", () => {
    expect(Object.keys(ROUTES).toSorted()).toEqual(
      [...Object.keys(ROUTE_ROWS), OWN_CREDENTIAL].toSorted(),
    );
  });

  test.each(SCOPES)(
    "a token with %s alone: every route lets in only whom its row names",
    async (scope) => {
      for (const [name, allowed] of Object.entries(ROUTE_ROWS)) {
        const [method = "", path = ""] = name.split(" ");
        const url =
          gateway.url +
          path
            .replace(":address", "192.0.2.1")
            .replace(/:(?:path|name|id|session)$/, "none")
            .replace(":name/messages", "default/messages");
        for (const verb of method === "GET" ? ["GET", "HEAD"] : [method]) {
          const response = await fetch(url, { method: verb, headers: bearer(scope) });
          const isIn = allowed === "*" || allowed.includes(scope);
          expect([name, scope, response.status !== 403]).toEqual([name, scope, isIn]);
          expect(response.status).not.toBe(401);
          if (isIn) continue;
          const named = allowed[0] as string;
          expect(response.headers.get("www-authenticate")).toBe(
            `Bearer error="insufficient_scope", scope="${named}"`,
          );
          if (verb !== "HEAD")
            expect(await response.json()).toMatchObject({
              code: "insufficient_scope",
              status: 403,
            });
        }
      }
      expect(
        (
          await fetch(`${gateway.url}/api/webhook/default`, {
            method: "POST",
            headers: bearer(scope),
          })
        ).status,
      ).toBe(401);
    },
  );

  test.each(SCOPES.filter((scope) => scope !== "attach" && scope !== "prompt"))(
    "a token with %s alone gets no socket, by header or by first frame",
    async (scope) => {
      await expect(new AttachClient(gateway.attachUrl, bearer(scope)).opened()).rejects.toThrow(
        "refused",
      );
      await using client = await new AttachClient(gateway.attachUrl).opened();
      client.send({ type: "auth", token: tokenOf(scope) });
      expect(await client.ofType("error")).toMatchObject({ code: "insufficient_scope" });
      expect(await client.closed()).toMatchObject({ code: 4003 });
    },
  );

  test("prompt alone: talks and reads, and every other command is refused before pi sees it", async () => {
    await using client = await attach(gateway.attachUrl, tokenOf("prompt"));
    for (const type of Object.keys(COMMANDS)) {
      client.send({ id: type, type, ...FIELDS[type] });
      const reply = await client.reply(type);
      const isAllowed = PROMPT_COMMANDS.has(type);
      expect([type, reply["code"] !== "insufficient_scope"]).toEqual([type, isAllowed]);
      if (!isAllowed) expect(reply).toMatchObject({ success: false });
    }
  });

  test("attach alone: every command is passed on", async () => {
    await using client = await attach(gateway.attachUrl, tokenOf("attach"));
    for (const type of Object.keys(COMMANDS)) {
      client.send({ id: type, type, ...FIELDS[type] });
      const { code } = await client.reply(type);
      expect([type, code]).not.toEqual([type, "insufficient_scope"]);
      expect([type, code]).not.toEqual([type, "invalid_command"]);
    }
  });

  test("both tables are closed: names of the prototype have no row", async () => {
    const { needOf, allows } = await import("../../src/auth/permissions.ts");
    const owner = { name: "owner", digest: new Uint8Array(32), scopes: new Set(SCOPES) };
    for (const name of ["constructor", "__proto__", "toString", "GET /api/nowhere"]) {
      expect(needOf(COMMANDS, name)).toBeUndefined();
      expect(needOf(ROUTES, name)).toBeUndefined();
    }
    expect(allows(owner, undefined)).toBe(false);
    expect(allows(undefined, ["admin"] satisfies Need)).toBe(false);
  });
});

describe("tokens that end", () => {
  const token = { name: "guest", token: `guest-${TOKEN}`, scopes: ["attach", "webhook"] };
  const headers = { Authorization: `Bearer ${token.token}` };

  test("an expired one is 401 and counts, on every route; its socket is closed when it expires", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({
      clock,
      config: { server: { tokens: [{ ...token, expires: "2027-01-01T00:01:00Z" }] } },
    });
    await using client = await attach(gateway.attachUrl, token.token);
    expect((await fetch(`${gateway.url}/api/status`, { headers })).status).toBe(200);
    clock.advance(60_000);
    expect(await client.closed()).toMatchObject({ code: 4003 });
    for (let i = 0; i < 5; i++) {
      expect((await fetch(`${gateway.url}/api/status`, { headers })).status).toBe(401);
      expect(
        (await fetch(`${gateway.url}/api/webhook`, { method: "POST", headers, body: "{}" })).status,
      ).toBe(401);
    }
    expect((await fetch(`${gateway.url}/api/status`, { headers })).status).toBe(429);
  });

  test("a revoked one is out at once: HTTP, sockets, and a request whose body is on its way", async () => {
    await using gateway = testGateway({ config: { server: { tokens: [token] } } });
    await using client = await attach(gateway.attachUrl, token.token);
    const { promise: end, resolve: finish } = Promise.withResolvers<void>();
    const body = new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode('{"message":'));
        await end;
        controller.enqueue(new TextEncoder().encode('"late"}'));
        controller.close();
      },
    });
    const late = fetch(`${gateway.url}/api/webhook`, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json" },
      body,
    });
    // Another with the same token, behind it: by then the first is past the pipeline.
    expect((await fetch(`${gateway.url}/api/status`, { headers })).status).toBe(200);
    gateway.reconfigure({});
    expect(await client.closed()).toMatchObject({ code: 4003 });
    expect((await fetch(`${gateway.url}/api/status`, { headers })).status).toBe(401);
    finish();
    expect((await late).status).toBe(401);
    expect(gateway.logged("token_rotated")).toMatchObject([{ token: "guest" }]);
  });
});
