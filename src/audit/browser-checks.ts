import type { Check } from "./check.ts";
import { targetOf } from "./world.ts";

const EVIL = "https://nest-audit.invalid";

export const BROWSER_CHECKS: readonly Check[] = [
  {
    id: "origin.attach",
    group: "live",
    title: "pages of other sites can't open a socket",
    threat: "a page in the owner's browser opens `/attach`: browsers let any page do so",
    severity: "high",
    impact: "guessing from the owner's own address, or acting with what the browser sends along",
    mitigation:
      "an `Origin` that is neither Nest's own nor configured is 403 before the upgrade; no cookies",
    attack:
      "handshakes from a foreign origin, from `null`, from other ports of this machine and from names that look like Nest's",
    cases: ["CVE-2023-26114", "CVE-2025-24010", "CVE-2026-32025"],
    fix: "update Nest; look at server.cors.origin",
    test: "tests/attach/authentication.test.ts",
    needs: ["server"],
    async run(world) {
      const target = targetOf(world);
      const { url, origin } = target;
      const allowed = new Set(world.config?.config?.server.corsOrigins);
      const origins = [
        EVIL,
        "null",
        "file://",
        "http://localhost:1",
        "http://127.0.0.1:1",
        `${url.protocol}//${url.hostname}.nest-audit.invalid`,
        `${origin}.nest-audit.invalid`,
        `${origin}/`,
        `${url.protocol === "https:" ? "http" : "https"}://${url.host}`,
      ].filter((one) => !allowed.has(one));
      const fell: string[] = [];
      for (const one of origins) {
        using socket = await target.stranger().attach({ headers: { Origin: one } });
        if (socket.answer.status !== 403)
          fell.push(`a socket for a page of ${one}: ${socket.answer.status}, expected 403`);
      }
      using own = await target.stranger().attach({ headers: { Origin: origin } });
      if (!own.isOpen)
        fell.push(
          `a socket for Nest's own page: ${own.answer.status}, expected 101 (does the proxy set X-Forwarded-Proto?)`,
        );
      return fell;
    },
  },
  {
    id: "cors.answers",
    group: "live",
    title: "pages of other sites can't read answers",
    threat: "a page in the owner's browser reads the API",
    severity: "high",
    impact: "files and conversations, where the page has or guesses a token",
    mitigation: "CORS off unless configured; exact origins; never `Allow-Credentials`, never `*`",
    attack: "answers and preflights for a foreign origin and `null` are looked at",
    cases: ["GHSA-88fw-hqm2-52qc", "CVE-2026-54290", "GHSA-q7jf-gf43-6x6p"],
    fix: "look at server.cors.origin; update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    guesses: 3,
    async run(world) {
      const target = targetOf(world);
      const stranger = target.stranger();
      const fell = new Set<string>();
      for (const origin of [EVIL, "null", "http://localhost:1"]) {
        const answers = [
          await stranger.request({
            path: "/api/status",
            headers: { Origin: origin, "Sec-Fetch-Site": "cross-site" },
          }),
          await stranger.request({
            method: "OPTIONS",
            path: "/api/status",
            headers: {
              Origin: origin,
              "Access-Control-Request-Method": "PUT",
              "Access-Control-Request-Private-Network": "true",
              "Sec-Fetch-Site": "cross-site",
            },
          }),
          await target.owner().request({ path: "/health", headers: { Origin: origin } }),
        ];
        for (const { headers } of answers) {
          const allowed = headers.get("access-control-allow-origin");
          if (allowed === origin || allowed === "*") fell.add(`answers may be read by ${origin}`);
          if (headers.has("access-control-allow-credentials"))
            fell.add("answers carry Access-Control-Allow-Credentials");
          if (headers.has("access-control-allow-private-network"))
            fell.add("answers carry Access-Control-Allow-Private-Network");
          if (allowed !== undefined && !/\borigin\b/i.test(headers.get("vary") ?? ""))
            fell.add("an origin is allowed without Vary: Origin");
        }
      }
      const [own] = world.config?.config?.server.corsOrigins ?? [];
      if (own !== undefined) {
        const headers = { Origin: own };
        const answer = await target.owner().request({ path: "/api/status", headers });
        if (!/\borigin\b/i.test(answer.headers.get("vary") ?? ""))
          fell.add("an origin is allowed without Vary: Origin");
      }
      return [...fell];
    },
  },
  {
    id: "headers.security",
    group: "live",
    title: "every answer carries what keeps browsers in bounds",
    threat:
      "a browser that takes an answer for something else, frames it, or tells others where it was",
    severity: "medium",
    impact: "scripts out of answers, clicks on a hidden page, addresses of notes in others' logs",
    mitigation:
      "nosniff, no-referrer, same-origin resource policy and X-Frame-Options on every answer, errors included; no-store on the API",
    attack: "the headers of a page, of /health, of an error and of the API are looked at",
    cases: ["CWE-1021", "CWE-693", "GHSA-6wqw-2p9w-4vw4"],
    fix: "let the proxy pass these headers on; else update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server"],
    guesses: 1,
    async run(world) {
      const target = targetOf(world);
      const stranger = target.stranger();
      const fell = new Set<string>();
      const isCors = (world.config?.config?.server.corsOrigins.length ?? 0) > 0;
      for (const path of ["/", "/health", "/nowhere", "/api/status", "/api/files"]) {
        const client = path === "/api/files" ? target.owner() : stranger;
        const { headers } = await client.request({ path });
        const expected: Record<string, string> = {
          "x-content-type-options": "nosniff",
          "referrer-policy": "no-referrer",
          "x-frame-options": "DENY",
        };
        if (path.startsWith("/api/")) expected["cache-control"] = "no-store";
        if (!isCors) expected["cross-origin-resource-policy"] = "same-origin";
        for (const [name, value] of Object.entries(expected)) {
          const found = headers.get(name);
          if (found !== value)
            fell.add(`${path}: ${name} is ${found ?? "missing"}, expected ${value}`);
        }
        if (headers.has("set-cookie")) fell.add(`${path}: a cookie is set`);
      }
      return [...fell];
    },
  },
  {
    id: "headers.page-policy",
    group: "live",
    title: "the workspace runs its own scripts and talks to its own server only",
    threat: "a script in a note, in a tool's output or in the agent's words",
    severity: "high",
    impact: "the owner's token, and so a shell",
    mitigation:
      "text becomes elements of an allow-list; the content policy forbids inline scripts, eval and other origins",
    attack: "the page's policy is read",
    cases: ["CVE-2026-44568", "CVE-2026-22813", "CVE-2026-25253"],
    fix: "let the proxy pass Content-Security-Policy on as it is; else update Nest",
    test: "tests/e2e/web/hostile.test.ts",
    needs: ["server"],
    async run(world) {
      const { status, headers } = await targetOf(world).stranger().request({ path: "/" });
      if (status !== 200) return [`the workspace: ${status}, expected 200`];
      const policy = headers.get("content-security-policy") ?? "";
      const rules = new Map(
        policy.split(";").map((rule) => {
          const [name = "", ...values] = rule.trim().split(/\s+/);
          return [name, values] as const;
        }),
      );
      const scripts = rules.get("script-src") ?? rules.get("default-src") ?? ["*"];
      const fell = scripts
        .filter((one) => !["'self'", "'none'"].includes(one))
        .map((one) => `scripts may come from ${one}`);
      const asked: Record<string, string> = {
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
      };
      for (const [name, value] of Object.entries(asked)) {
        const found = rules.get(name)?.join(" ");
        if (found !== value) fell.push(`${name} is ${found ?? "missing"}, expected ${value}`);
      }
      return fell;
    },
  },
  {
    id: "errors.leaks",
    group: "live",
    title: "errors tell nothing of the inside",
    threat: "provoking an error to read what it says",
    severity: "medium",
    impact: "paths of the host, source code, versions",
    mitigation:
      "RFC 9457 problems with a stable code; the log has the cause and the answer only its id",
    attack:
      "a dozen malformed requests with the right token; their answers are searched for stacks, paths and what was sent",
    cases: ["CVE-2023-49080", "CVE-2026-31949", "CWE-209"],
    fix: "update Nest",
    test: "tests/http/pipeline.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const owner = targetOf(world).owner();
      const json = { "Content-Type": "application/json" };
      const mark = "nest-audit-mark";
      const vault = world.config?.config?.vault.path;
      const fell = new Set<string>();
      const requests = [
        ...[
          "null",
          "[]",
          '"x"',
          `{"${mark}`,
          '{"from":1}',
          '{"__proto__":{"x":1}}',
          "\xff\xfe",
          "[".repeat(50_000),
        ].map((body) => ({ method: "POST", path: "/api/move", headers: json, body })),
        ...[
          "%00",
          "%ff",
          "a".repeat(300),
          "%2e%2e%2fetc",
          "x/".repeat(900),
          "nest-audit-missing",
        ].map((name) => ({ path: `/api/files/${name}` })),
        ...["__proto__", "constructor", "toString"].map((name) => ({
          path: `/api/sessions/${name}/messages`,
        })),
        { path: "/api/files?depth=x&limit=-1&cursor=%00" },
        { path: "/attach" },
      ];
      for (const request of requests) {
        const { status, body, headers } = await owner.request(request);
        const what = `${request.path.slice(0, 40)}: ${status}`;
        // A proxy that refuses a path by itself does so in its own words.
        const isNests = !targetOf(world).endpoint.isTls || headers.has("x-request-id");
        if (status === 0 || status >= 500) fell.add(`${what}: an error inside`);
        if (/\n\s+at |\/proc\/|node_modules|\/src\/|\.ts:\d|\$bunfs/.test(body))
          fell.add(`${what} shows a stack`);
        if (vault !== undefined && body.includes(vault))
          fell.add(`${what} shows where the vault lies`);
        if (body.includes(mark)) fell.add(`${what} repeats what was sent`);
        if (isNests && status >= 400 && headers.get("content-type") !== "application/problem+json")
          fell.add(`${what} is no problem document`);
      }
      return [...fell];
    },
  },
];
