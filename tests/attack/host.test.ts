import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { BEARER, TOKEN, type TestGateway, testGateway } from "../support/gateway.ts";
import { rawRequest, wsHandshake } from "../support/raw-http.ts";

/**
 * Host header lines that are no `host[:port]`. With some of them `req.url` is relative (`/zz/api/x` was routed as
 * `/api/x`), with others `new URL(req.url)` throws (GHSA-9hp6-4448-45g2, CVE-2026-47676).
 */
const MALFORMED = [
  { name: "empty", lines: ["Host:"] },
  { name: "two", lines: ["Host: localhost", "Host: localhost"] },
  { name: "two, one foreign", lines: ["Host: localhost", "Host: evil.test"] },
  { name: "user information", lines: ["Host: a@localhost"] },
  { name: "a path", lines: ["Host: localhost/x"] },
  { name: "a path that looks like the API's", lines: ["Host: zz/api/status"] },
  { name: "a query", lines: ["Host: localhost?x"] },
  { name: "a fragment", lines: ["Host: localhost#x"] },
  { name: "a port out of range", lines: ["Host: localhost:99999"] },
  { name: "a port that is none", lines: ["Host: localhost:x"] },
  { name: "an empty port", lines: ["Host: localhost:"] },
  { name: "two ports", lines: ["Host: a:1:2"] },
  { name: "an open bracket", lines: ["Host: [::1"] },
  { name: "brackets around a name", lines: ["Host: [localhost]"] },
  { name: "brackets around a bad address", lines: ["Host: [::1::2]"] },
  { name: "an address without brackets", lines: ["Host: ::1"] },
  { name: "a space", lines: ["Host: local host"] },
  { name: "a percent", lines: ["Host: localhost%2f"] },
  { name: "a comma", lines: ["Host: localhost,"] },
  { name: "a backslash", lines: ["Host: localhost\\x"] },
  { name: "non-ASCII bytes", lines: ["Host: l\xf6calhost"] },
  { name: "a hyphen first", lines: ["Host: -localhost"] },
  { name: "a dot first", lines: ["Host: .localhost"] },
];

describe("Host", () => {
  let gateway: TestGateway;
  beforeAll(() => (gateway = testGateway({ config: { server: { hosts: ["Nest.Example.org"] } } })));
  afterAll(() => gateway[Symbol.asyncDispose]());

  const get = (path: string, lines: readonly string[], version = "1.1") =>
    rawRequest(
      gateway.port,
      [`GET ${path} HTTP/${version}`, ...lines, `Authorization: Bearer ${TOKEN}`, "", ""].join(
        "\r\n",
      ),
    );

  test.each(MALFORMED)(
    "$name: 400 on every route, nothing of the inside, and the next request works",
    async ({ lines }) => {
      for (const path of ["/health", "/", "/api/status", "/zz/api/status", "/attach"]) {
        const { status, text } = await get(path, lines);
        expect([path, status]).toEqual([path, 400]);
        expect(text).not.toMatch(/\bat \/|\.ts:\d|Error:/);
      }
      expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    },
  );

  test("none: 400, also with HTTP/1.0", async () => {
    expect((await get("/health", [])).status).toBe(400);
    expect((await get("/api/status", [], "1.0")).status).toBe(400);
  });

  test.each([
    "localhost",
    "LOCALHOST:1",
    "127.0.0.1",
    "10.1.2.3:8484",
    "[::1]",
    "[::1]:8484",
    "a.localhost",
    "nest.example.org",
    "NEST.example.ORG:443",
  ])("%s is served", async (host) => {
    expect((await get("/", [`Host: ${host}`])).status).toBe(200);
  });

  test.each([
    "evil.test",
    "0.0.0.0",
    "0.0.0.0:8484",
    "[::]",
    "[::ffff:0.0.0.0]",
    "127.1",
    "2130706433",
    "0x7f.0.0.1",
    "localhost.",
    "localhost.evil.test",
    "xlocalhost",
    "nest.example.org.",
    "evil.nest.example.org",
    "127.0.0.1.evil.test",
  ])("%s is not ours: 421 that says what to set, though /health answers", async (host) => {
    for (const path of ["/", "/api/status", "/nowhere"]) {
      const { status, body } = await get(path, [`Host: ${host}`]);
      expect([path, status]).toEqual([path, 421]);
      expect(JSON.parse(body)).toMatchObject({
        code: "host_refused",
        detail: expect.stringContaining("server.hosts"),
      });
      expect(body).not.toContain(host);
    }
    expect((await get("/health", [`Host: ${host}`])).status).toBe(200);
    expect((await rawRequest(gateway.port, wsHandshake(host))).status).toBe(421);
  });

  test("a foreign name is logged as host_refused", () => {
    expect(gateway.logged("host_refused")).toContainEqual(
      expect.objectContaining({
        address: "127.0.0.1",
        route: "GET /api/status",
        host: "evil.test",
      }),
    );
  });

  test("a trusted proxy may use any name", async () => {
    await using proxied = testGateway({ config: { server: { trustedProxies: ["127.0.0.0/8"] } } });
    const { status } = await rawRequest(
      proxied.port,
      "GET / HTTP/1.1\r\nHost: any.example.org\r\n\r\n",
    );
    expect(status).toBe(200);
    expect((await rawRequest(proxied.port, "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n")).status).toBe(
      400,
    );
  });
});

describe("the request target", () => {
  test.each([
    "http://evil.test/api/status",
    "//api/status",
    "/api//status",
    "/./api/status",
    "/x/../api/status",
    "/api/status#x",
    "/api%2fstatus",
    "http://x:/api/status",
    "/%2e%2e%2fapi/status",
    "/API/status",
    "/api/status/",
    "/api\\status",
  ])("%s: without a token never more than 401, 404 or 400", async (target) => {
    await using gateway = testGateway();
    const { status, body } = await rawRequest(
      gateway.port,
      `GET ${target} HTTP/1.1\r\nHost: ${gateway.host}\r\n\r\n`,
    );
    expect([400, 401, 404]).toContain(status);
    expect(body).not.toContain("uptime");
  });

  test("odd methods and targets leave the process alive", async () => {
    await using gateway = testGateway();
    for (const line of [
      "CONNECT localhost:80",
      "OPTIONS *",
      "TRACE /api/status",
      "FOO /api/status",
      "GET *",
    ]) {
      const { status } = await rawRequest(
        gateway.port,
        `${line} HTTP/1.1\r\nHost: ${gateway.host}\r\nConnection: close\r\n\r\n`,
      );
      expect([line, [0, 400, 401, 404, 405, 501].includes(status)]).toEqual([line, true]);
    }
    expect((await fetch(`${gateway.url}/api/status`, { headers: BEARER })).status).toBe(200);
  });

  test("bodies that nobody asked for are not kept: eight of 32 MiB cost little memory", async () => {
    await using gateway = testGateway();
    Bun.gc(true);
    const before = process.memoryUsage.rss();
    const body = new Uint8Array(32 * 1024 * 1024);
    for (let i = 0; i < 8; i++) {
      const response = await fetch(`${gateway.url}/api/status`, { method: "POST", body }).catch(
        () => undefined,
      );
      expect([401, undefined]).toContain(response?.status);
    }
    expect(process.memoryUsage.rss() - before).toBeLessThan(200 * 1024 * 1024);
  });
});
