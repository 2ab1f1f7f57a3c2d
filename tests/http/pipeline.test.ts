import { describe, expect, test } from "bun:test";
import { RequestCounts } from "../../src/metrics/request-counts.ts";
import { ClientAddresses } from "../../src/limit/client-address.ts";
import { AttachClient, attach } from "../support/attach-client.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { BEARER, TOKEN, type TestGateway, testGateway } from "../support/gateway.ts";
import { rawRequest, wsHandshake } from "../support/raw-http.ts";

const WRONG = { Authorization: "Bearer nest_wrong-token-of-nobody" };

async function fail(
  gateway: TestGateway,
  times: number,
  headers: Record<string, string> = {},
): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < times; i++) {
    statuses.push(
      (await fetch(`${gateway.url}/api/status`, { headers: { ...WRONG, ...headers } })).status,
    );
  }
  return statuses;
}

describe("the pipeline", () => {
  test("ten wrong tokens: 401 ten times, then 429 for every route and method, the right token and upgrades included", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({ clock });
    expect(await fail(gateway, 10)).toEqual(Array<number>(10).fill(401));

    const requests: [string, RequestInit][] = [
      ["/health", {}],
      ["/", {}],
      ["/nowhere", {}],
      ["/api/status", { headers: BEARER }],
      ["/api/status", { method: "OPTIONS" }],
      ["/api/nowhere", { method: "POST", body: "x", headers: BEARER }],
      ["/attach", { headers: BEARER }],
    ];
    for (const [path, init] of requests) {
      const response = await fetch(gateway.url + path, init);
      expect([path, response.status, response.headers.get("retry-after")]).toEqual([
        path,
        429,
        "60",
      ]);
      expect(await response.json()).toMatchObject({
        code: "locked_out",
        status: 429,
        error: "Too Many Requests",
      });
    }
    for (const headers of ["", `Authorization: Bearer ${TOKEN}\r\n`]) {
      const upgrade = await rawRequest(gateway.port, wsHandshake(gateway.host, { headers }));
      expect(upgrade.status).toBe(429);
    }
  });

  test("Retry-After is right to the second, refused requests do not extend it, and the lock ends by itself", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({ clock });
    await fail(gateway, 5);
    clock.advance(20_000);
    await fail(gateway, 5);
    const retryAfter = async () => {
      const response = await fetch(`${gateway.url}/health`);
      return [response.status, response.headers.get("retry-after")];
    };
    // The first five were 20 s ago: they are too old in 40 s.
    expect(await retryAfter()).toEqual([429, "40"]);
    clock.advance(39_001);
    expect(await retryAfter()).toEqual([429, "1"]);
    clock.advance(998);
    expect(await retryAfter()).toEqual([429, "1"]);
    expect(gateway.logged("lockout_end")).toHaveLength(0);
    clock.advance(1);
    expect(await retryAfter()).toEqual([200, null]);
    expect(gateway.logged("lockout_end")).toMatchObject([{ address: "127.0.0.1" }]);
    // Five are still young: five more lock again.
    expect(await fail(gateway, 6)).toEqual([401, 401, 401, 401, 401, 429]);
  });

  test("a success does not clear the count", async () => {
    await using gateway = testGateway();
    await fail(gateway, 9);
    expect((await fetch(`${gateway.url}/api/status`, { headers: BEARER })).status).toBe(200);
    expect(await fail(gateway, 2)).toEqual([401, 429]);
  });

  test("a wall clock that steps changes nothing", async () => {
    const clock = new FakeClock();
    await using gateway = testGateway({ clock });
    await fail(gateway, 10);
    clock.stepWall(7_200_000);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(429);
    clock.stepWall(-14_400_000);
    clock.advance(60_000);
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
  });

  test("wrong first messages, upgrades and requests count in one place", async () => {
    await using gateway = testGateway();
    await fail(gateway, 4);
    for (let i = 0; i < 3; i++) {
      const upgrade = await rawRequest(
        gateway.port,
        wsHandshake(gateway.host, { headers: "Authorization: Bearer nest_wrong\r\n" }),
      );
      expect(upgrade.status).toBe(401);
    }
    for (let i = 0; i < 3; i++) {
      const client = await new AttachClient(gateway.attachUrl).opened();
      client.send({ type: "auth", token: "nest_wrong" });
      expect((await client.closed()).code).toBe(4003);
    }
    expect((await fetch(`${gateway.url}/health`)).status).toBe(429);
    expect(gateway.logged("auth_failed")).toHaveLength(10);
    expect(gateway.logged("lockout_start")).toHaveLength(1);
  });

  test("of 50 wrong guesses in the same instant at most 10 are compared", async () => {
    await using gateway = testGateway();
    const statuses = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const headers = { Authorization: `Bearer nest_guess-${i}` };
        return (await fetch(`${gateway.url}/api/status`, { headers })).status;
      }),
    );
    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(40);
    expect(gateway.logged("auth_failed")).toHaveLength(10);
  });

  test("of 50 wrong first messages in the same instant at most 10 are compared, and the right one behind them is not", async () => {
    // Sixteen may wait for each address; the lock-out is what is tried here, so they wait in turns.
    await using gateway = testGateway();
    const codes: string[] = [];
    for (let round = 0; round < 4; round++) {
      const clients = await Promise.all(
        Array.from({ length: 13 }, () =>
          new AttachClient(gateway.attachUrl).opened().catch(() => undefined),
        ),
      );
      for (const client of clients)
        client?.send({ type: "auth", token: codes.length >= 10 ? TOKEN : "nest_wrong" });
      for (const client of clients) {
        if (client === undefined) codes.push("429");
        else codes.push((await client.ofType("error"))["code"]);
        await client?.closed();
      }
    }
    expect(codes.filter((code) => code === "unauthorized")).toHaveLength(10);
    expect(codes.slice(10, 13)).toEqual(["locked_out", "locked_out", "locked_out"]);
    expect(codes.slice(13).every((code) => code === "429")).toBe(true);
  });

  test("400, 403, 404, 405, 421 and preflights never count", async () => {
    await using gateway = testGateway({
      config: { server: { cors: { origin: "https://notes.example.org" } } },
    });
    for (let i = 0; i < 12; i++) {
      expect((await fetch(`${gateway.url}/nowhere`)).status).toBe(404);
      expect((await fetch(`${gateway.url}/health`, { method: "DELETE" })).status).toBe(405);
      expect((await fetch(`${gateway.url}/api/status`, { method: "OPTIONS" })).status).toBe(204);
      expect((await fetch(`${gateway.url}/api/nowhere`, { headers: BEARER })).status).toBe(404);
      expect(
        (await rawRequest(gateway.port, "GET /api/status HTTP/1.1\r\nHost: a@b\r\n\r\n")).status,
      ).toBe(400);
      expect(
        (await rawRequest(gateway.port, "GET /api/status HTTP/1.1\r\nHost: evil.test\r\n\r\n"))
          .status,
      ).toBe(421);
      const origin = wsHandshake(gateway.host, { headers: "Origin: https://evil.test\r\n" });
      expect((await rawRequest(gateway.port, origin)).status).toBe(403);
    }
    expect((await fetch(`${gateway.url}/api/status`, { headers: BEARER })).status).toBe(200);
  });

  test("a request without credentials that the browser marks as another site's is refused but not counted", async () => {
    await using gateway = testGateway();
    for (const site of ["cross-site", "same-site"]) {
      for (let i = 0; i < 11; i++) {
        const response = await fetch(`${gateway.url}/api/status`, {
          headers: { "Sec-Fetch-Site": site },
        });
        expect(response.status).toBe(401);
      }
    }
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    // With a wrong token it is a guess, whoever sends it; and a page of our own counts as anyone.
    expect(await fail(gateway, 5, { "Sec-Fetch-Site": "cross-site" })).toEqual([
      401, 401, 401, 401, 401,
    ]);
    for (let i = 0; i < 5; i++) {
      await fetch(`${gateway.url}/api/status`, { headers: { "Sec-Fetch-Site": "same-origin" } });
    }
    expect((await fetch(`${gateway.url}/health`)).status).toBe(429);
  });

  test("unknown paths under /api answer 401 before 404, and 405 names what is allowed", async () => {
    await using gateway = testGateway();
    for (const path of ["/api/nowhere", "/api", "/api/", "/%61pi/status", "/api/%73tatus"]) {
      expect([path, (await fetch(gateway.url + path)).status]).toEqual([path, 401]);
    }
    const response = await fetch(`${gateway.url}/api/status`, {
      method: "DELETE",
      headers: BEARER,
    });
    expect([response.status, response.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
    expect(await response.json()).toEqual({
      type: "about:blank",
      title: "Method Not Allowed",
      status: 405,
      code: "method_not_allowed",
      error: "Method Not Allowed",
    });
    const head = await fetch(`${gateway.url}/api/status`, { method: "HEAD", headers: BEARER });
    expect([head.status, await head.text()]).toEqual([200, ""]);
  });

  test("every answer carries the security headers and a request id of its own", async () => {
    await using gateway = testGateway();
    const ids = new Set<string | null>();
    const requests: [string, RequestInit][] = [
      ["/", {}],
      ["/health", {}],
      ["/nowhere", {}],
      ["/api/status", { headers: BEARER }],
      ["/api/status", {}],
      ["/api/status", { method: "PUT", headers: BEARER }],
      ["/attach", { headers: BEARER }],
      ["/health", { headers: { Host: "a b" } }],
    ];
    for (const [path, init] of requests) {
      const { headers } = await fetch(gateway.url + path, init);
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("cross-origin-resource-policy")).toBe("same-origin");
      expect(headers.get("x-frame-options")).toBe("DENY");
      expect(headers.get("access-control-allow-origin")).toBeNull();
      if (path.startsWith("/api/")) expect(headers.get("cache-control")).toBe("no-store");
      ids.add(headers.get("x-request-id"));
    }
    expect(ids.size).toBe(requests.length);
    expect(ids.has(null)).toBe(false);
  });

  test("with NODE_ENV unset an error inside says nothing of the inside; the log has the request id", async () => {
    const { createApp } = await import("../../src/http/app.ts");
    const { RequestScope } = await import("../../src/http/env.ts");
    const lines: string[] = [];
    const { createLog } = await import("../../src/log/log.ts");
    const log = createLog({
      level: "info",
      format: "json",
      wallMs: () => 0,
      write: (line) => lines.push(line),
    });
    const app = createApp({
      authenticator: {
        authenticateHeader: () => ({
          name: "owner",
          scopes: new Set(["admin"]),
          digest: new Uint8Array(),
        }),
      },
      lockOut: { isAnyoneLocked: false },
      attach: {},
      hasSession: () => true,
      status: () => {
        throw new Error("secret inside");
      },
      requests: new RequestCounts(),
      clock: new FakeClock(),
      log,
    } as never);
    const settings = {
      hosts: new Set<string>(),
      addresses: new ClientAddresses({ trustedProxies: [], ipv6Prefix: 64 }),
      corsOrigins: [],
    };
    const request = new Request("http://localhost/api/status", {
      headers: { Host: "localhost", ...BEARER },
    });
    const handle = { requestIP: () => ({ address: "127.0.0.1" }), upgrade: () => false };
    const response = await app.fetch(request, new RequestScope(request, handle, settings));
    const body = await response.text();
    expect(response.status).toBe(500);
    expect(body).not.toContain("secret");
    expect(JSON.parse(body)).toMatchObject({ code: "internal_error" });
    expect(lines.join("")).toContain(response.headers.get("x-request-id") as string);
    expect(lines.join("")).toContain("secret inside");
  });
});

describe("the client address", () => {
  const proxied = { server: { trustedProxies: ["127.0.0.1"] } };

  test("forwarding headers of an untrusted peer change nothing (CVE-2026-35656)", async () => {
    await using gateway = testGateway();
    const names = [
      "X-Forwarded-For",
      "X-Real-IP",
      "Forwarded",
      "CF-Connecting-IP",
      "True-Client-IP",
      "X-Client-IP",
    ];
    const statuses: number[] = [];
    for (let i = 0; i < 30; i++) {
      statuses.push(
        ...(await fail(
          gateway,
          1,
          Object.fromEntries(names.map((name) => [name, `192.0.2.${i}`])),
        )),
      );
    }
    expect(statuses).toEqual([...Array<number>(10).fill(401), ...Array<number>(20).fill(429)]);
  });

  test("through a trusted proxy the right client is locked; the proxy and others are not", async () => {
    await using gateway = testGateway({ config: proxied });
    const via = (client: string) => ({ "X-Forwarded-For": client });
    // What the client wrote itself stands to the left and is not believed.
    await fail(gateway, 10, via("198.51.100.9, 192.0.2.1"));
    const status = async (headers: Record<string, string>) =>
      (await fetch(`${gateway.url}/api/status`, { headers: { ...BEARER, ...headers } })).status;
    expect(await status(via("192.0.2.1"))).toBe(429);
    expect(await status(via("203.0.113.7, 192.0.2.1"))).toBe(429);
    expect(await status(via("::ffff:192.0.2.1"))).toBe(429);
    expect(await status(via("192.0.2.1, 127.0.0.1"))).toBe(429);
    expect(await status(via("192.0.2.2"))).toBe(200);
    expect(await status(via("198.51.100.9"))).toBe(200);
    expect(await status({})).toBe(200);
    expect(gateway.logged("lockout_start")).toMatchObject([{ address: "192.0.2.1" }]);
  });

  test("IPv6 clients are counted by /64, and one network does not lock another", async () => {
    await using gateway = testGateway({ config: proxied });
    for (let i = 0; i < 10; i++)
      await fail(gateway, 1, { "X-Forwarded-For": `2001:db8:1:2::${i.toString(16)}` });
    const status = async (client: string) =>
      (await fetch(`${gateway.url}/health`, { headers: { "X-Forwarded-For": client } })).status;
    expect(await status("2001:db8:1:2:ffff:ffff:ffff:ffff")).toBe(429);
    expect(await status("2001:db8:1:3::1")).toBe(200);
  });

  test("junk in X-Forwarded-For is one client, not a fresh one each time", async () => {
    await using gateway = testGateway({ config: proxied });
    const statuses: number[] = [];
    for (let i = 0; i < 12; i++)
      statuses.push(...(await fail(gateway, 1, { "X-Forwarded-For": `junk-${i}` })));
    expect(statuses.slice(10)).toEqual([429, 429]);
  });

  test("on a dual-stack socket IPv4 clients are one with their mapped form, and apart from each other", async () => {
    await using gateway = testGateway({ config: { server: { host: "::" } } });
    const at = (host: string) => `http://${host}:${gateway.port}/api/status`;
    for (let i = 0; i < 5; i++) {
      await fetch(at("127.0.0.1"), { headers: WRONG });
      await fetch(at("[::ffff:127.0.0.1]"), { headers: WRONG });
    }
    expect((await fetch(at("127.0.0.1"), { headers: BEARER })).status).toBe(429);
    expect((await fetch(at("[::ffff:127.0.0.1]"), { headers: BEARER })).status).toBe(429);
    expect((await fetch(at("[::1]"), { headers: BEARER })).status).toBe(200);
    expect(gateway.logged("lockout_start")).toMatchObject([{ address: "127.0.0.1" }]);
  });

  test("a client that goes at once after a wrong token is counted all the same", async () => {
    await using gateway = testGateway();
    const { RawConnection } = await import("../support/raw-http.ts");
    const { until } = await import("../support/until.ts");
    for (let i = 0; i < 10; i++) {
      const connection = new RawConnection(gateway.port);
      connection.write(
        `GET /api/status HTTP/1.1\r\nHost: ${gateway.host}\r\nAuthorization: Bearer nest_wrong\r\n\r\n`,
      );
      await until("it is counted", () => gateway.logged("auth_failed").length > i);
      connection[Symbol.dispose]();
    }
    expect((await fetch(`${gateway.url}/health`)).status).toBe(429);
  });
});

describe("CORS", () => {
  test("with one origin it is on every answer of /api, errors included, and never with credentials", async () => {
    await using gateway = testGateway({
      config: { server: { cors: { origin: "https://notes.example.org" } } },
    });
    const requests: RequestInit[] = [
      { headers: BEARER },
      {},
      {
        method: "OPTIONS",
        headers: { Origin: "https://evil.test", "Access-Control-Request-Private-Network": "true" },
      },
      { method: "DELETE", headers: { ...BEARER, Vary: "x" } },
    ];
    for (const init of requests) {
      const { headers, status } = await fetch(`${gateway.url}/api/status`, init);
      expect([status, headers.get("access-control-allow-origin")]).toEqual([
        status,
        "https://notes.example.org",
      ]);
      expect(headers.get("access-control-allow-methods")).toContain("GET");
      expect(headers.get("access-control-allow-headers")).toContain("Authorization");
      // What a page can't do without: which part came, and where what was deleted lies.
      for (const name of ["ETag", "Content-Range", "X-Trash-Path", "Retry-After"])
        expect(headers.get("access-control-expose-headers")).toContain(name);
      expect(headers.get("vary")).toBe("Origin");
      expect(headers.get("cross-origin-resource-policy")).toBe("cross-origin");
      expect(headers.get("access-control-allow-credentials")).toBeNull();
      expect(headers.get("access-control-allow-private-network")).toBeNull();
    }
    const health = await fetch(`${gateway.url}/health`);
    expect(health.headers.get("access-control-allow-origin")).toBeNull();
  });

  test("with several origins the request's own is sent if it is listed, look-alikes never", async () => {
    const origins = ["https://notes.example.org", "http://localhost:3000"];
    await using gateway = testGateway({ config: { server: { cors: { origin: origins } } } });
    const allowed = async (origin: string) => {
      const { headers } = await fetch(`${gateway.url}/api/status`, {
        headers: { ...BEARER, Origin: origin },
      });
      expect(headers.get("vary")).toBe("Origin");
      return headers.get("access-control-allow-origin");
    };
    for (const origin of origins) expect(await allowed(origin)).toBe(origin);
    const others = [
      "https://evil.test",
      "null",
      "http://localhost:1",
      "https://notes.example.org.evil.test",
      "https://notes.example.org:444",
      "http://notes.example.org",
    ];
    for (const origin of others) expect(await allowed(origin)).toBeNull();
  });

  test("without a configured origin there is no CORS at all", async () => {
    await using gateway = testGateway();
    const response = await fetch(`${gateway.url}/api/status`, {
      method: "OPTIONS",
      headers: { Origin: "https://evil.test", "Sec-Fetch-Site": "cross-site" },
    });
    expect(response.status).toBe(401);
    expect(
      [...response.headers.keys()].filter((name) => name.startsWith("access-control")),
    ).toEqual([]);
  });
});

test("the gateway: a reload exchanges the whole pipeline's settings at once", async () => {
  await using gateway = testGateway({ config: { server: { hosts: ["old.example.org"] } } });
  const status = async (host: string) =>
    (await rawRequest(gateway.port, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`)).status;
  expect([await status("old.example.org"), await status("new.example.org")]).toEqual([200, 421]);
  const owner = await attach(gateway.attachUrl, TOKEN);
  await using _ = owner;
  gateway.reconfigure({ server: { hosts: ["new.example.org"], rateLimit: { maxFailures: 2 } } });
  expect([await status("old.example.org"), await status("new.example.org")]).toEqual([421, 200]);
  expect(await fail(gateway, 3)).toEqual([401, 401, 429]);
  expect(owner.close).toBeUndefined();
});
