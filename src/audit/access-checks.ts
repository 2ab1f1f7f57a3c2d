import { Authenticator, digestOf } from "../auth/authenticator.ts";
import { mayChange } from "../auth/protected-paths.ts";
import type { Principal } from "../auth/principal.ts";
import { type Check, Skipped } from "./check.ts";
import type { HttpAnswer } from "./http-answer.ts";
import type { Target } from "./target.ts";
import { configOf, targetOf } from "./world.ts";

/** Ways into the API that were open elsewhere, a token missing in each. */
const WITHOUT_TOKEN: readonly (readonly [method: string, path: string])[] = [
  ["GET", "/api/status"],
  ["GET", "/api/files"],
  ["GET", "/api/nope"],
  ["GET", "/%61pi/status"],
  ["PUT", "/api/sessions/nest-audit"],
  ["GET", "/api/metrics"],
  ["POST", "/api/webhook"],
  ["GET", "/api/lockouts"],
];

/** As long as a token, and not written out: whoever looks for tokens in the program finds none. */
const tokenOf = (words: string) => `nest_${words.padEnd(43, "0")}`;

/** Nobody's token. */
export const WRONG = tokenOf("audit-wrong-token-");
const RIGHT = tokenOf("audit-right-token-");

export const ACCESS_CHECKS: readonly Check[] = [
  {
    id: "auth.required",
    group: "live",
    title: "nothing of the API answers without a token",
    threat: "a route that somebody forgot to guard, or reaches by another spelling",
    severity: "critical",
    impact: "files, conversations, and with them a shell",
    mitigation:
      "one step before all routes asks for the token on `/api/*` and `/attach`, known or not; 401 comes before 404",
    attack: "routes of every kind, unknown ones and odd spellings are called without a token",
    cases: ["CVE-2026-22812", "GHSA-9hp6-4448-45g2", "CVE-2026-47676", "CVE-2026-28458"],
    fix: "update Nest; until then let nobody reach it",
    test: "tests/attack/authorization.test.ts",
    needs: ["server"],
    guesses: WITHOUT_TOKEN.length,
    async run(world) {
      const stranger = targetOf(world).stranger();
      const fell: string[] = [];
      for (const [method, path] of WITHOUT_TOKEN) {
        const { status } = await stranger.request({ method, path });
        if (status !== 401) fell.push(`${method} ${path} without a token: ${status}, expected 401`);
      }
      return fell;
    },
  },
  {
    id: "auth.challenge",
    group: "live",
    title: "a refusal says how to authenticate, and nothing about the token",
    threat: "learning from a refusal what was nearly right",
    severity: "low",
    impact: "fewer guesses",
    mitigation:
      "one answer for missing, malformed, wrong and expired tokens: 401 with `WWW-Authenticate: Bearer`",
    attack: "the answers to no token, a malformed one and a wrong one are compared",
    cases: ["CWE-204"],
    fix: "update Nest",
    test: "tests/attack/authorization.test.ts",
    needs: ["server"],
    guesses: 3,
    async run(world) {
      const stranger = targetOf(world).stranger();
      const forms = [undefined, "Bearer", `Bearer ${WRONG}`];
      const answers: HttpAnswer[] = [];
      for (const form of forms) {
        const headers = form === undefined ? {} : { Authorization: form };
        answers.push(await stranger.request({ path: "/api/status", headers }));
      }
      const fell = answers.flatMap(({ status, headers }) =>
        status === 401 && headers.get("www-authenticate") !== "Bearer"
          ? [`WWW-Authenticate is "${headers.get("www-authenticate") ?? ""}", expected "Bearer"`]
          : [],
      );
      if (new Set(answers.map(({ status, body }) => `${status} ${body}`)).size > 1)
        fell.push("refusals differ by what was wrong");
      return [...new Set(fell)];
    },
  },
  {
    id: "auth.forms",
    group: "live",
    title: "a token is taken in one strict form, and from one place",
    threat:
      "a token in another place or form, where logs keep it or a proxy and Nest read it differently",
    severity: "high",
    impact: "a token in histories and logs; a check in front of Nest passed by",
    mitigation:
      "exactly one `Authorization: Bearer TOKEN`; never a URL, a cookie or another header",
    attack: "the right token in eight wrong forms and places",
    cases: ["ODS#1123", "clawmaster#113", "CWE-598"],
    fix: "update Nest, and rotate a token that was in a URL",
    test: "tests/attack/authorization.test.ts",
    needs: ["server", "token"],
    guesses: 8,
    async run(world) {
      const target = targetOf(world);
      const stranger = target.stranger();
      const token = target.token ?? "";
      const path = "/api/status";
      const forms: readonly (readonly [string, string, Record<string, string>])[] = [
        ["in the query", `${path}?token=${encodeURIComponent(token)}`, {}],
        ["as access_token", `${path}?access_token=${encodeURIComponent(token)}`, {}],
        ["in a cookie", path, { Cookie: `token=${token}; nest_token=${token}` }],
        ["in X-Api-Key", path, { "X-Api-Key": token, "X-Auth-Token": token }],
        ["without its scheme", path, { Authorization: token }],
        ["as Basic", path, { Authorization: `Basic ${btoa(`:${token}`)}` }],
        ["behind two spaces", path, { Authorization: `Bearer  ${token}` }],
        ["before another word", path, { Authorization: `Bearer ${token}, Bearer x` }],
      ];
      const fell: string[] = [];
      for (const [what, where, headers] of forms) {
        const status = await stranger.status(where, headers);
        if (status !== 401) fell.push(`the right token ${what}: ${status}, expected 401`);
      }
      return fell;
    },
  },
  {
    id: "auth.comparison",
    group: "live",
    title: "tokens are compared in constant time",
    threat: "measuring how long a refusal takes, and finding the token a byte at a time",
    severity: "medium",
    impact: "the token, after very many guesses",
    mitigation: "SHA-256 digests compared by `timingSafeEqual`, with every known token",
    attack:
      "the comparison of this very program is run on a digest that tells who touches it; over a network the difference could not be seen",
    cases: ["CVE-2026-28464", "GHSA-jmm5-fvh5-gf4p", "GHSA-gq3j-xvxp-8hrf"],
    fix: "update Nest",
    test: "tests/auth/authenticator.test.ts",
    needs: [],
    run() {
      return comparison();
    },
  },
  {
    id: "auth.webhook-forgery",
    group: "live",
    title: "a forged webhook is refused, and tells nothing about which sources exist",
    threat: "sending a webhook in another's name",
    severity: "high",
    impact: "prompts of a stranger's choice reach the agent",
    mitigation:
      "signatures over the raw bytes, in constant time; unknown sources take the same steps",
    attack:
      "unsigned and wrongly signed deliveries to each configured source and to one that is not there; none could run anything",
    cases: ["CVE-2026-28475", "GHSA-4m3v-q747-pc6h", "CVE-2026-33580"],
    fix: "update Nest, and give the sources new secrets",
    test: "tests/http/webhook.test.ts",
    needs: ["server"],
    guesses: 6,
    async run(world) {
      const target = targetOf(world);
      const names = [...(world.config?.config?.webhooks.sources.keys() ?? [])].slice(0, 2);
      const fell: string[] = [];
      for (const source of ["nest-audit-nobody", ...names]) {
        for (const headers of forgeries()) {
          const { status } = await target.stranger().request({
            method: "POST",
            path: `/api/webhook/${source}`,
            // Taken for good it would be refused for its type.
            headers: { "Content-Type": "application/x-nest-audit", ...headers },
            body: "{}",
          });
          if (status !== 401) fell.push(`a forged webhook to ${source}: ${status}, expected 401`);
        }
      }
      return [...new Set(fell)];
    },
  },
  {
    id: "auth.webhook-secret-scope",
    group: "live",
    title: "a token is no webhook's secret",
    threat: "a credential that opens more doors than its own",
    severity: "medium",
    impact: "a sender's credential becomes the owner's, or the reverse",
    mitigation: "each source has its own secret; the owner's token is not taken there",
    attack: "the right token on a source that is not there",
    cases: ["GHSA-6fvr-66p3-3qj4", "CVE-2026-53814"],
    fix: "update Nest",
    test: "tests/http/webhook.test.ts",
    needs: ["server", "token"],
    guesses: 1,
    async run(world) {
      const target = targetOf(world);
      const { status } = await target.stranger(target.token).request({
        method: "POST",
        path: "/api/webhook/nest-audit-nobody",
        headers: { "Content-Type": "application/x-nest-audit" },
        body: "{}",
      });
      return status === 401
        ? []
        : [`the owner's token at a webhook's door: ${status}, expected 401`];
    },
  },
  {
    id: "auth.protected-paths",
    group: "live",
    title: "files that run code can't be written with `vault:write` alone",
    threat: "a token for notes that writes an extension, a git hook or an environment file",
    severity: "high",
    impact: "a token for notes becomes a shell",
    mitigation:
      "`.pi`, `.git`, `.env` and the like need `admin`, in every spelling that a file system may know them by",
    attack: "the rule of this very program is asked about such paths",
    cases: ["earendil-works/pi#6715", "CVE-2014-9390", "CVE-2026-53571"],
    fix: "update Nest",
    test: "tests/auth/protected-paths.test.ts",
    needs: [],
    run() {
      const writer: Principal = {
        name: "writer",
        digest: digestOf(WRONG),
        scopes: new Set(["vault:write"]),
      };
      return PROTECTED.filter((path) => mayChange(writer, path.split("/"))).map(
        (path) => `a token with vault:write may write ${path}`,
      );
    },
  },
  {
    id: "auth.scopes",
    group: "live",
    title: "a token does what its scopes say and no more",
    threat: "a token for little that does much",
    severity: "high",
    impact: "what the owner has, for who was trusted with a part",
    mitigation: "one table of scopes for routes and commands; what has no row is not served",
    attack: "a browser token made from the owner's may not make another; it is revoked at the end",
    cases: ["CVE-2026-35636", "CVE-2026-35621", "CWE-269"],
    fix: "update Nest",
    test: "tests/attack/scopes.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const target = targetOf(world);
      const { id, token } = await browserToken(target);
      try {
        const browser = target.stranger(token);
        const again = await browser.request(NEW_BROWSER);
        if (again.status === 201) {
          const { id: second } = JSON.parse(again.body) as { id: string };
          await target.revoke(second);
        }
        return again.status === 403
          ? []
          : [`a browser's token made another: ${again.status}, expected 403`];
      } finally {
        await target.revoke(id);
      }
    },
  },
  {
    id: "auth.revocation",
    group: "live",
    title: "a revoked token is refused at once",
    threat: "a token that was lost and revoked, and still works",
    severity: "high",
    impact: "the thief stays",
    mitigation: "tokens are looked up at each request; revoking closes their sockets",
    attack: "a browser token is made, used, revoked and used again",
    cases: ["CVE-2026-34503", "CVE-2026-53843", "CWE-613"],
    fix: "restart Nest after revoking; update it",
    test: "tests/http/browsers.test.ts",
    needs: ["server", "token"],
    guesses: 1,
    async run(world) {
      const target = targetOf(world);
      const { id, token } = await browserToken(target);
      const browser = target.stranger(token);
      const before = await browser.status("/api/status");
      await target.revoke(id);
      const after = await browser.status("/api/status");
      return before === 200 && after !== 401 ? [`a revoked token: ${after}, expected 401`] : [];
    },
  },
  {
    id: "auth.configured-token",
    group: "live",
    title: "the server runs with the config that is audited",
    threat: "auditing one config while Nest runs with another",
    severity: "low",
    impact: "what was found says nothing about what runs",
    mitigation: "`nest token` and SIGHUP have a running Nest read its config anew",
    attack: "the token is looked for in the config, and tried on the server",
    cases: ["CWE-1188"],
    fix: "name the config that Nest runs with, or reload it with SIGHUP",
    test: "tests/cli/serve.test.ts",
    needs: ["server", "token", "config"],
    async run(world) {
      const target = targetOf(world);
      const digest = digestOf(target.token ?? "").toHex();
      const { principals } = configOf(world).config.server;
      if (principals.some((one) => one.digest.toHex() === digest)) return [];
      return ["the server takes a token that this config does not know"];
    },
  },
];

const NEW_BROWSER = {
  method: "POST",
  path: "/api/browsers",
  headers: { "Content-Type": "application/json" },
  body: '{"name":"nest audit"}',
};

/** Browsers beside which one more pushes none out. */
const MAX_BROWSERS = 24;

/** A token made from the owner's, as a browser gets it; to be revoked. @throws {Skipped} */
async function browserToken(target: Target): Promise<{ id: string; token: string }> {
  const list = await target.owner().request({ path: "/api/browsers" });
  if (list.status !== 200) throw new Skipped(`browsers can't be listed (${list.status})`);
  const { browsers } = JSON.parse(list.body) as { browsers: unknown[] };
  if (browsers.length > MAX_BROWSERS)
    throw new Skipped("so many browsers are signed in that one more could push one out");
  const made = await target.owner().request(NEW_BROWSER);
  if (made.status !== 201) throw new Skipped(`no browser token could be made (${made.status})`);
  const browser = JSON.parse(made.body) as { id: string; token: string };
  target.made(browser.id);
  return browser;
}

const PROTECTED = [
  ".pi/extensions/x.ts",
  "notes/.git/hooks/post-commit",
  ".git/config",
  ".GIT/config",
  ".env",
  ".env.local",
  "bunfig.toml",
  ".agents/skills/x.md",
  ".trash/x",
  "GIT~1/config",
  ".g\u200cit/config",
];

function forgeries(): readonly Record<string, string>[] {
  const now = "1700000000";
  return [
    { "X-Hub-Signature-256": `sha256=${"0".repeat(64)}` },
    {
      "webhook-id": "nest-audit",
      "webhook-timestamp": now,
      "webhook-signature": `v1,${"A".repeat(43)}=`,
    },
  ];
}

/**
 * A digest in whose place nothing but the system's own comparison goes unseen: whatever reads it from JavaScript, by
 * its length, as hexadecimal, by a loop, is told on.
 */
class Watched extends Uint8Array {
  static touches = new Set<string>();
}
for (const name of ["length", "byteLength", "buffer"] as const) {
  const inherited = Object.getOwnPropertyDescriptor(
    Object.getPrototypeOf(Uint8Array.prototype) as object,
    name,
  );
  Object.defineProperty(Watched.prototype, name, {
    get(this: Uint8Array) {
      Watched.touches.add(name);
      return inherited?.get?.call(this) as unknown;
    },
  });
}
for (const name of [
  "toHex",
  "toBase64",
  "toString",
  "join",
  "every",
  "some",
  "map",
  "reduce",
  "slice",
  "subarray",
  "at",
  "indexOf",
  "values",
  "entries",
  "keys",
  "forEach",
  Symbol.iterator,
]) {
  const method = (Uint8Array.prototype as unknown as Record<string | symbol, unknown>)[name];
  if (typeof method !== "function") continue;
  Object.defineProperty(Watched.prototype, name, {
    value(this: Uint8Array, ...args: unknown[]) {
      Watched.touches.add(String(name));
      return (method as (...given: unknown[]) => unknown).apply(this, args);
    },
  });
}

function comparison(): readonly string[] {
  const fell: string[] = [];
  const digest = new Watched(digestOf(RIGHT));
  const principal: Principal = { name: "watched", digest, scopes: new Set() };
  const one = new Authenticator([principal], () => 0);
  Watched.touches.clear();
  if (one.authenticateToken(WRONG) !== undefined) fell.push("a wrong token was taken");
  if (one.authenticateToken(RIGHT) !== principal) fell.push("the right token was refused");
  one.renew(principal);
  for (const touch of Watched.touches)
    fell.push(`a digest is read in JavaScript, by "${touch}", and not compared in constant time`);
  // Identifiers are kept in the executable, too.
  if (!/timingSafeEqual/.test(String(one.authenticateToken)))
    fell.push("tokens are compared by something else than timingSafeEqual");
  return fell;
}
