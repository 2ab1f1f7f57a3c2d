import { expect, test } from "bun:test";
import { createApp } from "../../src/http/app.ts";
import { RequestScope } from "../../src/http/env.ts";
import { ClientAddresses } from "../../src/limit/client-address.ts";
import { createLog } from "../../src/log/log.ts";
import { RequestCounts } from "../../src/metrics/request-counts.ts";
import { FakeClock } from "../support/fake-clock.ts";

const OPEN = new Set([
  "/",
  "/assets/:name",
  "/health",
  "/icon-192.png",
  "/icon-512.png",
  "/icon.svg",
  "/manifest.webmanifest",
  "/more",
  "/s/:session",
  "/search",
  "/sw.js",
  "/v",
  "/v/*",
]);

/** The app with nobody's token good, and one address locked if asked. */
function app(isLocked: boolean) {
  const log = createLog({ level: "error", format: "json", wallMs: () => 0, write: () => {} });
  const parts = {
    authenticator: { authenticateHeader: () => undefined },
    lockOut: { isAnyoneLocked: isLocked, remainingMs: () => 1000, fail: () => {} },
    attach: {},
    sessions: { has: () => false },
    status: () => ({}),
    requests: new RequestCounts(),
    clock: new FakeClock(),
    webhooks: { source: () => undefined },
    webhookOutcomes: { count: () => {} },
    metrics: () => "",
    browsers: { issue: () => ({}), list: () => [], revoke: () => false },
    workspace: async () => ({ files: new Map(), shell: "" }),
    log,
  };
  return createApp(parts as never);
}

function scope(request: Request): RequestScope {
  const addresses = new ClientAddresses({ trustedProxies: [], ipv6Prefix: 64 });
  const handle = { requestIP: () => ({ address: "192.0.2.1" }), upgrade: () => false };
  return new RequestScope(request, handle, { hosts: new Set(), addresses, corsOrigins: [] });
}

async function statusOf(
  isLocked: boolean,
  path: string,
  method: string,
  host: string,
): Promise<number> {
  const request = new Request(`http://localhost${path}`, { method, headers: { Host: host } });
  return (await app(isLocked).fetch(request, scope(request))).status;
}

test("createApp: every registered path, and every other, goes through Host, lock-out and authentication", async () => {
  const paths = [...new Set(app(false).routes.map(({ path }) => path))];
  expect(paths.toSorted()).toEqual(
    [
      ...OPEN,
      "/api/browsers",
      "/api/browsers/:id",
      "/api/files",
      "/api/files/",
      "/api/files/:path{[\\s\\S]+}",
      "/api/lockouts",
      "/api/lockouts/:address",
      "/api/metrics",
      "/api/move",
      "/api/search",
      "/api/sessions",
      "/api/sessions/:name",
      "/api/sessions/:name/messages",
      "/api/status",
      "/api/webhook",
      "/api/webhook/:source",
      "/attach",
    ].toSorted(),
  );
  for (const path of [...paths, "/nowhere", "/api/nowhere"]) {
    for (const method of ["GET", "HEAD", "POST", "OPTIONS"]) {
      expect([path, await statusOf(false, path, method, "a@b")]).toEqual([path, 400]);
      expect([path, await statusOf(true, path, method, "localhost")]).toEqual([path, 429]);
      const open = OPEN.has(path) || path === "/nowhere";
      expect([path, method, (await statusOf(false, path, method, "localhost")) === 401]).toEqual([
        path,
        method,
        !open,
      ]);
    }
  }
});

test("createApp: routes are such that Hono's fast router takes them all", () => {
  const one = app(false);
  const request = new Request("http://localhost/health", { headers: { Host: "localhost" } });
  void one.fetch(request, scope(request));
  expect(one.router.name).toBe("SmartRouter + RegExpRouter");
});
