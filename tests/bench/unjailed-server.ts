import { join } from "node:path";
import { Authenticator, digestOf } from "../../src/auth/authenticator.ts";
import { SCOPES } from "../../src/auth/principal.ts";
import { systemClock } from "../../src/cli/clock.ts";
import { createApp } from "../../src/http/app.ts";
import { RequestScope } from "../../src/http/env.ts";
import { ClientAddresses } from "../../src/limit/client-address.ts";
import { LockOut } from "../../src/limit/lock-out.ts";
import { MemoryFailureStore } from "../../src/limit/memory-failure-store.ts";
import { RequestCounts } from "../../src/metrics/request-counts.ts";
import { TOKEN } from "./nest.ts";

/**
 * A program: Nest's own pipeline and routes in front of a vault without a jail, as one writes it who trusts every path.
 * `/raw/NAME` is a bare `Response(Bun.file)`.
 */

const root = process.argv[2] ?? "";

const unjailed = {
  async open(path: string) {
    const text = await Bun.file(join(root, path)).text();
    return { size: text.length, modifiedMs: 0, etag: '"x"', body: () => text, close: () => {} };
  },
};

const log = { audit() {}, debug() {}, info() {}, warn() {}, error() {}, security() {} };
const limits = { maxFailures: 10, windowMs: 60_000, maxAddresses: 1000 };
const owner = { name: "owner", digest: digestOf(TOKEN), scopes: new Set(SCOPES) };
const app = createApp({
  authenticator: new Authenticator([owner], () => systemClock.wallMs()),
  lockOut: new LockOut(new MemoryFailureStore(limits), limits, systemClock, {
    started() {},
    ended() {},
  }),
  log,
  clock: systemClock,
  vault: unjailed,
  requests: new RequestCounts(),
  webhooks: { source: () => undefined },
  webhookOutcomes: { count() {} },
  metrics: () => "",
  browsers: {},
  workspace: async () => ({ files: new Map(), shell: "" }),
  sessions: { has: () => false },
} as unknown as Parameters<typeof createApp>[0]);
const settings = {
  hosts: new Set<string>(),
  addresses: new ClientAddresses({ trustedProxies: [], ipv6Prefix: 64 }),
  corsOrigins: [],
};

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  fetch(request, bunServer) {
    const raw = /\/raw\/(.+)$/.exec(request.url)?.[1];
    if (raw !== undefined) return new Response(Bun.file(join(root, raw)));
    return app.fetch(request, new RequestScope(request, bunServer as never, settings));
  },
});
console.log(`listening ${server.url.origin} `);
