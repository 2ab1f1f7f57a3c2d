import { type Check, Skipped } from "./check.ts";
import type { Client } from "./client.ts";
import { WRONG } from "./access-checks.ts";
import { frameOf } from "./raw-socket.ts";
import { maxFailures, targetOf, type World } from "./world.ts";

/** More wrong guesses than this would not be harmless. */
const MAX_GUESSES = 100;

const FORWARDING = [
  "X-Forwarded-For",
  "X-Real-IP",
  "Forwarded",
  "CF-Connecting-IP",
  "True-Client-IP",
  "X-Client-IP",
];

/** Run last: each locks the addresses that it comes from, which are loopback's and nobody's. */
export const LOCK_OUT_CHECKS: readonly Check[] = [
  {
    id: "lockout.requests",
    group: "live",
    title: "guessing locks an address out, of everything",
    threat: "guessing the token over and over",
    severity: "critical",
    impact: "the token, if it is a weak one",
    mitigation:
      "10 failures in 60 s lock an address: 429 for every route, the right token too, until they have grown older",
    attack:
      "wrong tokens until it locks; then the right one, a route that needs none, and an upgrade",
    cases: ["CWE-307", "CVE-2026-32025"],
    fix: "update Nest; look at server.rateLimit",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    locks: true,
    async run(world) {
      const target = targetOf(world);
      const client = target.stranger();
      const limit = guessesOf(world);
      const fell: string[] = [];
      const guesses = await guess(client, limit + 1);
      const compared = guesses.filter((status) => status === 401).length;
      if (compared > limit)
        fell.push(`${compared} wrong tokens were compared, expected ${limit} at most`);
      if (guesses.at(-1) !== 429) return [...fell, "the address is not locked after that"];
      const locked = await target.at(client, target.token).request({ path: "/api/status" });
      if (locked.status !== 429)
        fell.push(
          `the right token while locked: ${locked.status}, expected 429: a guess is told to be right`,
        );
      else if (!/^\d+$/.test(locked.headers.get("retry-after") ?? ""))
        fell.push("429 without Retry-After");
      const health = await client.status("/health");
      if (health !== 429) fell.push(`/health while locked: ${health}, expected 429`);
      using socket = await client.attach();
      if (socket.answer.status !== 429)
        fell.push(`an upgrade while locked: ${socket.answer.status}, expected 429`);
      return fell;
    },
  },
  {
    id: "lockout.sockets",
    group: "live",
    title: "wrong first frames count like wrong requests",
    threat: "guessing through sockets, past the limit for requests",
    severity: "critical",
    impact: "guesses without end",
    mitigation: "one count for requests, upgrades and first frames",
    attack: "wrong first frames until it locks; then a request",
    cases: ["CVE-2026-62220", "GHSA-5p6w-wmh3-frfr", "CVE-2026-32025"],
    fix: "update Nest",
    test: "tests/attach/authentication.test.ts",
    needs: ["server"],
    locks: true,
    deadlineMs: 30_000,
    async run(world) {
      const client = targetOf(world).stranger();
      const limit = guessesOf(world);
      for (let i = 0; i < limit; i++) {
        using socket = await client.attach({ first: authFrame(WRONG) });
        if (!socket.isOpen) break;
        await socket.closed(3000);
      }
      const status = await client.status("/health");
      return status === 429
        ? []
        : [`${limit} wrong first frames, and the address is not locked (${status})`];
    },
  },
  {
    id: "lockout.waiting-sockets",
    group: "live",
    title: "sockets opened before a lock are no way round it",
    threat: "opening sockets first, and guessing through them once the address is locked",
    severity: "high",
    impact: "more guesses than allowed, with an answer to each",
    mitigation: "a waiting socket asks about the lock again when its first frame comes",
    attack:
      "a socket is opened, its address locked by requests, and the right token sent through it",
    cases: ["CVE-2026-62220", "CWE-367"],
    fix: "update Nest",
    test: "tests/attach/authentication.test.ts",
    needs: ["server", "token"],
    locks: true,
    async run(world) {
      const target = targetOf(world);
      const client = target.stranger();
      using socket = await client.attach({ path: "/attach?session=nest-audit-none" });
      if (!socket.isOpen)
        return [`an upgrade without a token: ${socket.answer.status}, expected 101`];
      await guess(client, guessesOf(world));
      socket.send({ type: "auth", token: target.token });
      const said = await socket.frame("error", 3000);
      return said?.["code"] === "locked_out"
        ? []
        : [
            `the right token on a socket of a locked address: ${said?.["code"] ?? "taken"}, expected locked_out`,
          ];
    },
  },
  {
    id: "lockout.spares-others",
    group: "live",
    title: "one who guesses locks nobody else out",
    threat: "locking the owner out by guessing from elsewhere",
    severity: "high",
    impact: "the owner has no access for as long as somebody goes on",
    mitigation: "counts are per client address; IPv6 by network",
    attack:
      "one address is locked; another uses the right token, and is refused once with a wrong one",
    cases: ["CVE-2026-30827", "GHSA-46wh-pxpv-q5gq", "openclaw#155384"],
    fix: "name the proxy in server.trustedProxies if there is one; else update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server", "addresses"],
    locks: true,
    async run(world) {
      const target = targetOf(world);
      await guess(target.stranger(), guessesOf(world) + 1);
      const other = target.stranger();
      const status = await other.status("/health");
      const wrong = await other.status("/api/status", { Authorization: `Bearer ${WRONG}` });
      return status === 200 && wrong === 401
        ? []
        : [`another address while one is locked: ${status} and ${wrong}, expected 200 and 401`];
    },
  },
  {
    id: "lockout.forwarded",
    group: "live",
    title: "headers change nobody's address",
    threat: "claiming a new address with each guess",
    severity: "critical",
    impact: "guesses without end, or somebody else locked out",
    mitigation:
      "`X-Forwarded-For` is believed from `server.trustedProxies` alone, right to left; no other header is read",
    attack: "wrong tokens, each with other addresses in six headers, until it locks",
    cases: ["CVE-2026-35656", "GHSA-844j-xrrq-wgh4", "GHSA-xgm2-5f3f-mvvc"],
    fix: "name only the proxy's own address in server.trustedProxies; else update Nest",
    test: "tests/limit/client-address.test.ts",
    needs: ["server", "addresses"],
    locks: true,
    async run(world) {
      const client = targetOf(world).stranger();
      const limit = guessesOf(world);
      for (let i = 0; i <= limit; i++) {
        const headers = Object.fromEntries(FORWARDING.map((name) => [name, `192.0.2.${i}`]));
        await client.status("/api/status", { Authorization: `Bearer ${WRONG}`, ...headers });
      }
      const status = await client.status("/health");
      return status === 429
        ? []
        : [`${limit + 1} guesses under other names, and the address is not locked (${status})`];
    },
  },
  {
    id: "lockout.burst",
    group: "live",
    title: "many guesses in the same instant are no more than allowed",
    threat: "guessing many times at once, before the count catches up",
    severity: "high",
    impact: "as many guesses as connections, each round",
    mitigation: "the check and the count happen in one synchronous step",
    attack: "forty wrong tokens at once, from one address",
    cases: ["CWE-362", "CWE-307", "oven-sh/bun#32483"],
    fix: "update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    locks: true,
    async run(world) {
      const client = targetOf(world).stranger();
      const limit = guessesOf(world);
      const count = Math.min(limit * 4, MAX_GUESSES);
      const bytes = client.bytesOf({
        path: "/api/status",
        headers: { Authorization: `Bearer ${WRONG}`, Connection: "close" },
      });
      const connections = Array.from({ length: count }, () => client.connect());
      try {
        // Connected first, so that all arrive together.
        for (const connection of connections) connection.write(bytes.slice(0, 1));
        await Promise.all(connections.map((one) => one.until(() => undefined, 30)));
        for (const connection of connections) connection.write(bytes.slice(1));
        const statuses = await Promise.all(
          connections.map((one) =>
            one.until(
              ({ received }) => received.toString("latin1").match(/^HTTP\/1.1 (\d+)/)?.[1],
              5000,
            ),
          ),
        );
        const compared = statuses.filter((status) => status === "401").length;
        return compared <= limit
          ? []
          : [
              `${compared} of ${count} wrong tokens at once were compared, expected ${limit} at most`,
            ];
      } finally {
        for (const connection of connections) connection[Symbol.dispose]();
      }
    },
  },
  {
    id: "lockout.web-pages",
    group: "live",
    title: "no web page can lock its visitor out",
    threat: "a page full of pictures of `/api/status`, opened by the owner",
    severity: "medium",
    impact: "the owner is locked out for as long as the page is open",
    mitigation:
      "a request without credentials that the browser marks as another site's is refused and not counted; with a wrong token it counts",
    attack: "more of them than would lock, and then a request",
    cases: ["CVE-2026-32025", "GHSA-jmmg-jqc7-5qf4"],
    fix: "update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    locks: true,
    async run(world) {
      const client = targetOf(world).stranger();
      for (let i = 0; i <= guessesOf(world); i++)
        await client.status("/api/status", { "Sec-Fetch-Site": "cross-site" });
      const status = await client.status("/health");
      return status === 429 ? ["pictures on another site's page lock their visitor out"] : [];
    },
  },
  {
    id: "lockout.webhooks",
    group: "live",
    title: "wrong webhook secrets count like wrong tokens",
    threat: "guessing a webhook's secret",
    severity: "high",
    impact: "prompts of a stranger's choice reach the agent",
    mitigation: "they count towards the same lock-out",
    attack: "wrong secrets for a source that is not there until it locks",
    cases: ["CVE-2026-33580", "GHSA-9528-x887-j2fp", "GHSA-xq8g-hgh6-87hv"],
    fix: "update Nest",
    test: "tests/http/webhook.test.ts",
    needs: ["server"],
    locks: true,
    async run(world) {
      const client = targetOf(world).stranger();
      const limit = guessesOf(world);
      for (let i = 0; i < limit; i++) {
        await client.request({
          method: "POST",
          path: "/api/webhook/nest-audit-nobody",
          headers: { Authorization: `Bearer ${WRONG}`, "Content-Type": "application/x-nest-audit" },
          body: "{}",
        });
      }
      const status = await client.status("/health");
      return status === 429
        ? []
        : [`${limit} wrong secrets, and the address is not locked (${status})`];
    },
  },
  {
    id: "lockout.not-for-others",
    group: "live",
    title: "mistakes that are no guesses lock nobody out",
    threat:
      "burning the allowance of an address that many share, with requests that are merely wrong",
    severity: "medium",
    impact: "all behind one proxy or one router are locked out",
    mitigation: "400, 403, 404, 405, 421 and preflights never count",
    attack: "more of each than would lock, and then a request",
    cases: ["GHSA-6rmx-gvvg-vh6j"],
    fix: "update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    locks: true,
    async run(world) {
      const client = targetOf(world).stranger();
      for (let i = 0; i <= guessesOf(world); i++) {
        await client.status("/nowhere");
        await client.request({ method: "DELETE", path: "/health" });
        await client.request({ path: "/", host: "nest-audit.invalid" });
      }
      const status = await client.status("/health");
      return status === 429 ? ["wrong paths, methods and names lock an address out"] : [];
    },
  },
];

function guessesOf(world: World): number {
  const limit = maxFailures(world);
  if (limit > MAX_GUESSES)
    throw new Skipped(`server.rateLimit.maxFailures is ${limit}: too many guesses to try`);
  return limit;
}

async function guess(client: Client, count: number): Promise<number[]> {
  const statuses: number[] = [];
  for (let i = 0; i < count; i++)
    statuses.push(await client.status("/api/status", { Authorization: `Bearer ${WRONG}` }));
  return statuses;
}

export function authFrame(token: string): Buffer {
  return frameOf(JSON.stringify({ type: "auth", token }));
}
