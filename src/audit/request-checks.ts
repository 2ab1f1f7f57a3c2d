import { type Check, Skipped } from "./check.ts";
import type { HttpAnswer } from "./http-answer.ts";
import type { Target } from "./target.ts";
import { targetOf } from "./world.ts";

export const REQUEST_CHECKS: readonly Check[] = [
  {
    id: "host.names",
    group: "live",
    title: "Nest answers to its own names only",
    threat: "another site's name made to point at this machine (DNS rebinding)",
    severity: "high",
    impact: "a page in the owner's browser talks to Nest as if it were Nest's own",
    mitigation:
      "`server.hosts`, IP literals and localhost are served, all else is 421; `0.0.0.0` is none of them",
    attack: "requests for foreign names, for names that look like localhost, and for 0.0.0.0",
    cases: ["CVE-2024-28224", "CVE-2025-49596"],
    fix: "let the proxy refuse other names, and take it out of server.trustedProxies if it can't; else update Nest",
    test: "tests/attack/host.test.ts",
    needs: ["server"],
    async run(world) {
      const target = targetOf(world);
      const port = target.endpoint.port;
      const fell: string[] = [];
      for (const name of [
        "nest-audit.invalid",
        "localhost.nest-audit.invalid",
        "127.0.0.1.nest-audit.invalid",
        "0.0.0.0",
        `nest-audit.invalid:${port}`,
      ]) {
        const answer = await target.stranger().request({ path: "/", host: name });
        if (!isRefusal(target, answer)) fell.push(`Host: ${name}: ${answer.status}, expected 421`);
      }
      return fell;
    },
  },
  {
    id: "host.malformed",
    group: "live",
    title: "a malformed Host is refused before anything looks at the URL",
    threat: "a Host that makes the server see another path than its guards",
    severity: "high",
    impact: "a route without its token",
    mitigation: "exactly one `host[:port]`, or 400, before routing",
    attack: "no Host, two, an empty one, and eight that are none",
    cases: ["GHSA-9hp6-4448-45g2", "CVE-2025-58362", "oven-sh/bun#33002"],
    fix: "update Nest",
    test: "tests/attack/host.test.ts",
    needs: ["server"],
    async run(world) {
      const target = targetOf(world);
      const stranger = target.stranger();
      const own = target.url.host;
      const fell: string[] = [];
      // nginx takes what stands behind the colon for a port, and passes the name on alone.
      const joined = target.endpoint.isTls ? [] : [`${own},x`];
      const lines: readonly (readonly [string, string])[] = [
        ["no Host", ""],
        ["no Host in HTTP/1.0", ""],
        ["two Hosts", `Host: ${own}\r\nHost: nest-audit.invalid\r\n`],
        ...["", "a@b", "x/y", "n:99999", "[::1", "a:b:c", "n%2f", "a b", ...joined].map(
          (host) => [`Host "${host}"`, `Host: ${host}\r\n`] as const,
        ),
      ];
      for (const [what, line] of lines) {
        const version = what === "no Host in HTTP/1.0" ? "1.0" : "1.1";
        const answer = await stranger.raw(
          `GET /health HTTP/${version}\r\n${line}Connection: close\r\n\r\n`,
        );
        if (!isRefusal(target, answer)) fell.push(`${what}: ${answer.status}, expected 400`);
      }
      return fell;
    },
  },
  {
    id: "request.smuggling",
    group: "live",
    title: "where a request ends is beyond doubt",
    threat: "hiding a second request in the first, which the proxy and Nest count differently",
    severity: "critical",
    impact: "requests in another's name through the same proxy",
    mitigation:
      "both lengths, a bad one, or a list of codings are refused, and the connection with them",
    attack:
      "six requests with ambiguous lengths, each with a second request inside; exactly one answer may come",
    cases: ["oven-sh/bun#35295", "CVE-2025-59139", "CWE-444"],
    fix: "update Nest, and the Bun that runs it",
    test: "tests/attack/host.test.ts",
    needs: ["server"],
    async run(world) {
      const target = targetOf(world);
      if (target.endpoint.isTls)
        throw new Skipped("the proxy decides where requests end: run it against Nest itself");
      const own = target.url.host;
      const hidden = `GET /nest-audit-hidden HTTP/1.1\r\nHost: ${own}\r\n\r\n`;
      const fell: string[] = [];
      for (const [what, head] of SMUGGLED) {
        using connection = target.stranger().connect();
        connection.write(
          `POST /health HTTP/1.1\r\nHost: ${own}\r\n${head}\r\n\r\n0\r\n\r\n${hidden}`,
        );
        // A second answer would be the hidden request's.
        const second = await connection.until(
          ({ received }) =>
            received.toString("latin1").match(/HTTP\/1\.1 [\s\S]*HTTP\/1\.1 404/) ?? undefined,
          1000,
        );
        const first = connection.received.toString("latin1").match(/^HTTP\/1\.1 (\d{3})/)?.[1];
        if (second !== undefined && first !== "400")
          fell.push(`${what}: the request inside was answered`);
      }
      return fell;
    },
  },
  {
    id: "request.odd-methods",
    group: "live",
    title: "no method repeats what was sent",
    threat: "TRACE, or an error page, that gives headers back to a page",
    severity: "low",
    impact: "a token out of a header that a page may not read",
    mitigation: "405 with `Allow` for what a route does not know; answers repeat nothing",
    attack: "TRACE, CONNECT and a made-up method with a mark in a header",
    cases: ["CWE-693", "CVE-2024-35225"],
    fix: "update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    async run(world) {
      const stranger = targetOf(world).stranger();
      const fell: string[] = [];
      for (const method of ["TRACE", "NESTAUDIT"]) {
        const { status, body } = await stranger.request({
          method,
          path: "/health",
          headers: { "X-Mark": "nest-audit-mark" },
        });
        if (body.includes("nest-audit-mark")) fell.push(`${method} gives headers back`);
        if (status >= 200 && status < 300) fell.push(`${method}: ${status}, expected 405`);
      }
      return fell;
    },
  },
  {
    id: "request.health",
    group: "live",
    title: "what is open to everybody tells nothing",
    threat: "finding out versions and state without a token",
    severity: "low",
    impact: "knowing which hole to try",
    mitigation: '`/health` says {"status":"ok"} and nothing more; no `Server` header',
    attack: "the answer is compared with what it may be",
    cases: ["CWE-200"],
    fix: "update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    async run(world) {
      const { body, headers } = await targetOf(world).stranger().request({ path: "/health" });
      const fell = body === '{"status":"ok"}' ? [] : ["/health says more than it may"];
      for (const name of ["server", "x-powered-by"]) {
        const value = headers.get(name);
        if (value !== undefined && /\d/.test(value)) fell.push(`${name}: ${value.slice(0, 60)}`);
      }
      return fell;
    },
  },
];

/** Behind TLS a proxy answers, in words of its own; what Nest itself says has an id. */
function isRefusal({ endpoint }: Target, { status, headers }: HttpAnswer): boolean {
  if (status === 0 || status === 400 || status === 421) return true;
  return endpoint.isTls && !headers.has("x-request-id");
}

const SMUGGLED: readonly (readonly [string, string])[] = [
  ["both lengths", "Content-Length: 5\r\nTransfer-Encoding: chunked"],
  ["two lengths", "Content-Length: 5\r\nContent-Length: 0"],
  ["a signed length", "Content-Length: +5"],
  ["a list of codings", "Transfer-Encoding: chunked, identity"],
  ["a coding with a space", "Transfer-Encoding : chunked"],
  ["a coding with a tab", "Transfer-Encoding:\tchunked\r\nContent-Length: 0"],
];
