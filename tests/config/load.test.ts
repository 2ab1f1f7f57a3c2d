import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { digestOf } from "../../src/auth/authenticator.ts";
import { SCOPES } from "../../src/auth/principal.ts";
import { readConfigFile } from "../../src/cli/config-file.ts";
import { loadConfig, type LoadedConfig } from "../../src/config/load.ts";
import { ConfigError, formatProblem } from "../../src/config/problem.ts";
import { tempDir } from "../support/temp-dir.ts";

const TOKEN = "a-token-of-forty-characters-for-the-test";
const OTHER = "another-token-of-forty-characters-000000";

const noFiles = () => {
  throw Object.assign(new Error("no files here"), { code: "ENOENT" });
};

function load(text: string, env: Record<string, string> = {}): LoadedConfig {
  return loadConfig("/srv/nest/config.yaml", text, { env, readFile: noFiles });
}

/** The problems of a config, as they are printed. */
function problems(text: string, env: Record<string, string> = {}): string[] {
  try {
    load(text, env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(formatProblem);
    throw error;
  }
  return [];
}

/** A config whose `server` holds these lines beside the token. */
const server = (...lines: string[]) =>
  ["server:", `  token: ${TOKEN}`, ...lines.map((line) => `  ${line}`), ""].join("\n");

describe("loadConfig", () => {
  test("fills in every default when only the token is given", () => {
    const { config, warnings } = load(server());
    expect(warnings).toEqual([]);
    expect(config).toEqual({
      file: "/srv/nest/config.yaml",
      server: {
        host: "127.0.0.1",
        port: 8484,
        principals: [{ name: "owner", digest: digestOf(TOKEN), scopes: new Set(SCOPES) }],
        trustedProxies: [],
        hosts: [],
        corsOrigins: [],
        rateLimit: { maxFailures: 10, windowSeconds: 60, ipv6Prefix: 64 },
      },
      vault: { path: "/srv/nest/vault", maxFileBytes: 104_857_600 },
      agent: { args: [], env: {}, withheldEnv: [] },
      sessions: new Map([["default", { cwd: "/srv/nest/vault", idleMinutes: 0 }]]),
      webhooks: { perSource: 10, global: 30, sources: new Map() },
      log: { level: "info", format: "auto", audit: "/srv/nest/sessions/audit.log" },
    });
  });

  test("the security log can be put elsewhere or left out", () => {
    const audit = (value: string) => load(`${server()}log: { audit: ${value} }\n`).config.log.audit;
    expect(audit("logs/security.jsonl")).toBe("/srv/nest/logs/security.jsonl");
    expect(audit("/var/log/nest.jsonl")).toBe("/var/log/nest.jsonl");
    expect(audit("false")).toBeUndefined();
  });

  test.each([
    {
      name: "a source with the owner's token, which would open the API to the sender",
      source: `{ secret: ${TOKEN}, verify: bearer }`,
      problem: 'secret: expected a secret of its own, found the token of "owner"',
    },
    {
      name: "the owner's token behind its digest",
      source: `{ secret: "sha256:${digestOf(TOKEN).toHex()}", verify: bearer }`,
      problem: 'secret: expected a secret of its own, found the token of "owner"',
    },
    {
      name: "a Standard Webhooks secret that is no base64",
      source: "{ secret: whsec_not-base64, verify: standard }",
      problem: "secret: expected a Standard Webhooks secret: whsec_ and 16 to 128 bytes in base64",
    },
    {
      name: "a template with more than paths",
      source: '{ secret: s, verify: bearer, template: "{{a | upper}}" }',
      problem: "template: expected a template whose places are dotted paths",
    },
    {
      name: "a template that is not closed",
      source: '{ secret: s, verify: bearer, template: "{{a" }',
      problem: 'template: expected a template in which every "{{" has its "}}"',
    },
  ])("refuses $name", ({ source, problem }) => {
    const messages = problems(`${server()}webhooks: { sources: { ci: ${source} } }\n`);
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain(`webhooks.sources.ci.${problem}`);
    expect(messages[0]).not.toContain(TOKEN);
  });

  test("tells every problem at once, each with its file, line, column, key path and what was expected", () => {
    const text = [
      "server:",
      "  port: 70000",
      `  token: ${TOKEN}`,
      "  tokens:",
      "    - name: phone",
      "      token: env:PHONE",
      "      scopes: [attach, fly]",
      "  trustedProxies: [10.0.0.0/8, proxy]",
      "  cors: { origin: '*' }",
      "vault:",
      "  maxFileBytes: many",
      "sessions:",
      "  Work: {}",
      "log: { levle: warn, formt: text }",
      "",
    ].join("\n");
    expect(problems(text)).toEqual([
      "/srv/nest/config.yaml:2:9: server.port: expected a port: a whole number from 0 to 65535, found 70000",
      '/srv/nest/config.yaml:6:14: server.tokens[0].token: expected the environment variable "PHONE" to be set, found it unset or empty',
      expect.stringMatching(
        /^\/srv\/nest\/config\.yaml:7:24: server\.tokens\[0\]\.scopes\[1\]: expected one of attach, .*admin/,
      ),
      expect.stringMatching(
        /^\/srv\/nest\/config\.yaml:8:32: server\.trustedProxies\[1\]: expected the address or CIDR/,
      ),
      expect.stringMatching(
        /^\/srv\/nest\/config\.yaml:9:19: server\.cors\.origin: expected an exact origin/,
      ),
      expect.stringMatching(
        /^\/srv\/nest\/config\.yaml:11:17: vault\.maxFileBytes: expected bytes: a whole number .*found "many"$/,
      ),
      expect.stringMatching(
        /^\/srv\/nest\/config\.yaml:13:3: sessions\.Work: expected a session name/,
      ),
      '/srv/nest/config.yaml:14:8: log.levle: unknown key; did you mean "level"?',
      '/srv/nest/config.yaml:14:21: log.formt: unknown key; did you mean "format"?',
    ]);
  });

  test("tells every problem of the secrets and references at once, too", () => {
    const text = [
      "server:",
      "  token: env:NEST_OWNER",
      "  tokens:",
      "    - { name: owner, token: sha256:12, scopes: [attach] }",
      "    - { name: phone, token: file:gone.txt, scopes: [attach] }",
      "webhooks:",
      "  sources:",
      "    ci: { secret: env:CI_SECRET, verify: github, session: work }",
      `    git: { secret: sha256:${"0".repeat(64)}, verify: github }`,
      "",
    ].join("\n");
    expect(problems(text)).toEqual([
      '/srv/nest/config.yaml:2:10: server.token: expected the environment variable "NEST_OWNER" to be set, found it unset or empty',
      "/srv/nest/config.yaml:4:15: server.tokens[0].name: expected a name of its own, found one twice",
      "/srv/nest/config.yaml:4:29: server.tokens[0].token: expected sha256: and 64 hexadecimal digits; `nest token --hash` prints them",
      '/srv/nest/config.yaml:5:29: server.tokens[1].token: expected a readable file "gone.txt" (ENOENT)',
      '/srv/nest/config.yaml:8:19: webhooks.sources.ci.secret: expected the environment variable "CI_SECRET" to be set, found it unset or empty',
      "/srv/nest/config.yaml:8:59: webhooks.sources.ci.session: expected one of default",
      '/srv/nest/config.yaml:9:20: webhooks.sources.git.secret: expected the secret itself, since verify "github" computes with it, found sha256:',
    ]);
  });

  test.each([
    {
      name: "a swap of letters",
      text: server("prot: 1"),
      hint: 'server.prot: unknown key; did you mean "port"?',
    },
    {
      name: "another case",
      text: server("trustedproxies: []"),
      hint: 'server.trustedproxies: unknown key; did you mean "trustedProxies"?',
    },
    {
      name: "a plural",
      text: `${server()}logs: {}\n`,
      hint: 'logs: unknown key; did you mean "log"?',
    },
    {
      name: "inside a list",
      text: server(`tokens: [{ name: a, token: ${OTHER}, scope: [attach], scopes: [attach] }]`),
      hint: 'server.tokens[0].scope: unknown key; did you mean "scopes"?',
    },
    {
      name: "inside a mapping of free names",
      text: `${server()}sessions: { work: { cdw: ./w } }\n`,
      hint: 'sessions.work.cdw: unknown key; did you mean "cwd"?',
    },
    {
      name: "inside an optional mapping",
      text: server("cors: { orgin: https://a.example, origin: https://a.example }"),
      hint: 'server.cors.orgin: unknown key; did you mean "origin"?',
    },
    {
      name: "nothing near",
      text: `${server()}log: { colour: true }\n`,
      hint: "log.colour: unknown key; expected one of level, format",
    },
    {
      name: "a key of Object.prototype",
      text: server("constructor: 1"),
      hint: "server.constructor: unknown key; expected one of host, port, token, tokens, trustedProxies, hosts, cors, rateLimit",
    },
    {
      name: "__proto__",
      text: server("__proto__: { port: 1 }"),
      hint: "server.__proto__: unknown key",
    },
    {
      name: "a YAML 1.1 merge key",
      text: server('"<<": { port: 1 }'),
      hint: "server.?: unknown key",
    },
  ])("refuses an unknown key and hints at the nearest known one: $name", ({ text, hint }) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(hint);
  });

  test.each([
    { name: "an empty file", text: "" },
    { name: "a comment only", text: "# nothing\n" },
    { name: "null", text: "null\n" },
    { name: "a list", text: "[]\n" },
    { name: "a mapping without server", text: "log: { level: info }\n" },
    { name: "server empty", text: "server:\n" },
    { name: "server without token", text: "server: { port: 1 }\n" },
    { name: "token empty", text: "server: { token: }\n" },
    { name: "token an empty string", text: 'server: { token: "" }\n' },
  ])("refuses a config without an owner's token: $name", ({ text }) => {
    const found = problems(text);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^\/srv\/nest\/config\.yaml:\d+:\d+: .*token/);
  });

  test.each([
    {
      name: "an unclosed quote",
      text: 'server:\n  token: "abc\n',
      place: "3:1",
      says: "a quote or bracket that is not closed",
    },
    {
      name: "a key twice",
      text: "server:\n  port: 1\n  port: 2\n",
      place: "3:3",
      says: "expected each key once",
    },
    {
      name: "a tab as indentation",
      text: "server:\n\tport: 1\n",
      place: "2:1",
      says: "found a tab",
    },
    {
      name: "two documents",
      text: "log: {}\n---\nlog: {}\n",
      place: "2:1",
      says: "expected one YAML document",
    },
    {
      name: "a colon in a plain value",
      text: "server:\n  host: a: b\n",
      place: "2:9",
      says: "expected valid YAML",
    },
    {
      name: "an alias to nothing",
      text: "server:\n  token: *nowhere\n",
      place: "2:10",
      says: "expected a known alias",
    },
    {
      name: "a tag of somebody's",
      text: "server:\n  token: !secret abc\n",
      place: "2:10",
      says: "expected no YAML tag",
    },
    { name: "a list as a key", text: "? [a]\n: 1\n", place: "1:3", says: "expected valid YAML" },
    {
      name: "CRLF line ends",
      text: "server:\r\n  port: 1\r\n  port: 2\r\n",
      place: "3:3",
      says: "expected each key once",
    },
  ])("places a YAML syntax error: $name", ({ text, place, says }) => {
    const [first] = problems(text);
    expect(first).toStartWith(`/srv/nest/config.yaml:${place}: `);
    expect(first).toContain(says);
  });

  test("refuses an alias bomb without expanding it", () => {
    const rows = [...Array(30).keys()].map(
      (i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`,
    );
    const text = ["a0: &a0 [1, 1, 1, 1]", ...rows, ""].join("\n");
    const startMs = performance.now();
    expect(problems(text)).toEqual([
      "/srv/nest/config.yaml: expected fewer aliases: the file expands too far",
    ]);
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  test("refuses brackets nested without end, and does not run out of stack", () => {
    expect(problems("[".repeat(50_000))[0]).toContain("expected valid YAML");
    expect(problems(`server: ${"{a: ".repeat(20_000)}`)[0]).toContain("expected valid YAML");
  });

  test("makes relative paths absolute from the config's folder, not from the current one", () => {
    using dir = tempDir();
    mkdirSync(join(dir.path, "etc"));
    const file = join(dir.path, "etc", "nest.yaml");
    writeFileSync(join(dir.path, "etc", "owner.txt"), `${TOKEN}\n`);
    writeFileSync(
      file,
      "server: { token: file:owner.txt }\nvault: { path: ../notes }\nsessions: { work: { cwd: ./w, idleMinutes: 5 }, abs: { cwd: /srv/x }, plain: {} }\n",
    );
    const { config } = readConfigFile(file, {});
    const notes = join(dir.path, "notes");
    expect(config.vault.path).toBe(notes);
    expect(Object.fromEntries(config.sessions)).toEqual({
      default: { cwd: notes, idleMinutes: 0 },
      work: { cwd: join(dir.path, "etc", "w"), idleMinutes: 5 },
      abs: { cwd: "/srv/x", idleMinutes: 0 },
      plain: { cwd: notes, idleMinutes: 0 },
    });
    expect(config.server.principals[0]?.digest).toEqual(digestOf(TOKEN));
  });

  test("withholds every environment variable that a secret is read from", () => {
    const { config } = load(
      [
        "server:",
        "  token: env:OWNER",
        "  tokens: [{ name: phone, token: env:PHONE, scopes: [attach] }]",
        "webhooks: { sources: { ci: { secret: env:CI, verify: bearer } } }",
        "",
      ].join("\n"),
      { OWNER: TOKEN, PHONE: OTHER, CI: "ci-secret" },
    );
    expect(config.agent.withheldEnv).toEqual(["OWNER", "PHONE", "CI"]);
  });
});

describe("loadConfig server.tokens", () => {
  const tokens = (...rows: string[]) => server("tokens:", ...rows.map((row) => `  - { ${row} }`));

  test("gives each token its name, scopes and expiry, the owner first", () => {
    const { config } = load(
      tokens(`name: phone, token: ${OTHER}, scopes: [attach, "vault:read"], expires: 2027-01-31`),
    );
    expect(config.server.principals[1]).toEqual({
      name: "phone",
      digest: digestOf(OTHER),
      scopes: new Set(["attach", "vault:read"] as const),
      expiresMs: Date.UTC(2027, 0, 31),
    });
  });

  test.each([
    {
      name: "the owner's, literally",
      row: `name: a, token: ${TOKEN}, scopes: [attach]`,
      says: 'the same one as "owner"',
    },
    {
      name: "the owner's, by its digest",
      row: `name: a, token: sha256:${digestOf(TOKEN).toHex()}, scopes: [attach]`,
      says: 'the same one as "owner"',
    },
    {
      name: "the owner's, from the environment",
      row: `name: a, token: "env:SAME", scopes: [attach]`,
      says: 'the same one as "owner"',
    },
  ])("refuses a token that another principal has: $name", ({ row, says }) => {
    const found = problems(tokens(row), { SAME: TOKEN });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(
      `server.tokens[0].token: expected a token of its own, found ${says}`,
    );
  });

  test("refuses a name twice, and the owner's", () => {
    const found = problems(
      tokens(
        `name: a, token: ${OTHER}, scopes: [attach]`,
        `name: a, token: ${OTHER}1, scopes: [attach]`,
        `name: owner, token: ${OTHER}2, scopes: [attach]`,
      ),
    );
    expect(found).toHaveLength(2);
    expect(found[0]).toContain("server.tokens[1].name");
    expect(found[1]).toContain("server.tokens[2].name");
  });

  test.each([
    { name: "none", scopes: "[]" },
    { name: "an unknown one", scopes: "[root]" },
    { name: "a plain string", scopes: "attach" },
    { name: "nothing", scopes: "" },
  ])("refuses scopes: $name", ({ scopes }) => {
    expect(problems(tokens(`name: a, token: ${OTHER}, scopes: ${scopes}`)).join()).toContain(
      "server.tokens[0].scopes",
    );
  });

  test.each([
    { name: "a date is its first moment, UTC", expires: "2027-01-31", ms: Date.UTC(2027, 0, 31) },
    { name: "a leap day", expires: "2028-02-29", ms: Date.UTC(2028, 1, 29) },
    { name: "a time", expires: "2027-01-31T18:00:00Z", ms: Date.UTC(2027, 0, 31, 18) },
    { name: "a time without seconds", expires: "2027-01-31T18:00Z", ms: Date.UTC(2027, 0, 31, 18) },
    { name: "a zone", expires: "2027-01-31T23:30:00-05:00", ms: Date.UTC(2027, 1, 1, 4, 30) },
    {
      name: "milliseconds",
      expires: "2027-01-31T18:00:00.250Z",
      ms: Date.UTC(2027, 0, 31, 18, 0, 0, 250),
    },
  ])("reads expires: $name", ({ expires, ms }) => {
    const { config } = load(
      tokens(`name: a, token: ${OTHER}, scopes: [attach], expires: "${expires}"`),
    );
    expect(config.server.principals[1]?.expiresMs).toBe(ms);
  });

  test.each([
    { name: "a day that is not in the month", expires: "2027-02-30" },
    { name: "a leap day in a common year", expires: "2027-02-29" },
    { name: "31 November", expires: "2027-11-31T10:00:00Z" },
    { name: "month 13", expires: "2027-13-01" },
    { name: "day 0", expires: "2027-01-00" },
    { name: "a time without zone", expires: "2027-01-31T18:00:00" },
    { name: "hour 25", expires: "2027-01-31T25:00:00Z" },
    { name: "a year alone", expires: "2027" },
    { name: "the American order", expires: "01/31/2027" },
    { name: "words", expires: "next year" },
    { name: "spaces around it", expires: " 2027-01-31 " },
    { name: "an empty string", expires: "" },
  ])("refuses expires: $name", ({ expires }) => {
    const [first, ...more] = problems(
      tokens(`name: a, token: ${OTHER}, scopes: [attach], expires: "${expires}"`),
    );
    expect(first).toContain("server.tokens[0].expires: expected a date, like 2027-01-31");
    expect(more).toEqual([]);
  });
});

describe("loadConfig server.cors", () => {
  test.each([
    { name: "one", origin: "https://notes.example.org", expected: ["https://notes.example.org"] },
    {
      name: "a list",
      origin: "[https://a.example, http://localhost:3000]",
      expected: ["https://a.example", "http://localhost:3000"],
    },
  ])("takes exact origins: $name", ({ origin, expected }) => {
    expect(load(server(`cors: { origin: ${origin} }`)).config.server.corsOrigins).toEqual(expected);
  });

  test.each([
    { name: "any", origin: '"*"' },
    { name: "a pattern", origin: '"https://*.a.example"' },
    { name: "any, in a list", origin: '["https://a.example", "*"]' },
    { name: "null, the string", origin: '"null"' },
    { name: "null, the value", origin: "null" },
    { name: "null in a list", origin: "[null]" },
    { name: "an empty list", origin: "[]" },
    { name: "an empty string", origin: '""' },
    { name: "a path", origin: "https://a.example/app" },
    { name: "a slash at the end", origin: "https://a.example/" },
    { name: "a query", origin: "https://a.example?x" },
    { name: "a user", origin: "https://me@a.example" },
    { name: "the default port, which no browser sends", origin: "https://a.example:443" },
    { name: "upper case, which no browser sends", origin: "https://A.example" },
    { name: "no scheme", origin: "a.example" },
    { name: "another scheme", origin: '"file:///srv"' },
    { name: "FTP, whose origin is one as well", origin: "ftp://a.example" },
    { name: "a browser extension", origin: "chrome-extension://abcdef" },
    { name: "space", origin: '" https://a.example"' },
  ])("refuses what is no exact origin: $name", ({ origin }) => {
    const found = problems(server(`cors: { origin: ${origin} }`));
    expect(found.length).toBeGreaterThan(0);
    for (const problem of found) {
      expect(problem).toContain("server.cors.origin");
      expect(problem).toContain("expected an exact origin");
    }
  });
});

describe("loadConfig server.trustedProxies", () => {
  test.each([
    {
      name: "an IPv4 address",
      cidr: "172.30.0.2",
      expected: { family: 4, value: 0xac1e0002n, length: 32 },
    },
    {
      name: "an IPv4 block",
      cidr: "10.0.0.0/8",
      expected: { family: 4, value: 0x0a000000n, length: 8 },
    },
    {
      name: "an IPv6 block",
      cidr: "fd00::/8",
      expected: { family: 6, value: 0xfdn << 120n, length: 8 },
    },
    {
      name: "an IPv4-mapped block",
      cidr: "::ffff:10.0.0.0/104",
      expected: { family: 4, value: 0x0a000000n, length: 8 },
    },
  ])("takes $name", ({ cidr, expected }) => {
    const { config } = load(server(`trustedProxies: ["${cidr}"]`));
    expect(config.server.trustedProxies).toEqual([expected as never]);
  });

  test.each([
    // Everybody would choose the address that the lock-out counts, and the Host that is served.
    { name: "all of IPv4", cidr: "0.0.0.0/0" },
    { name: "all of IPv6", cidr: "::/0" },
    { name: "all of IPv4, mapped", cidr: "::ffff:0.0.0.0/96" },
    { name: "too long for IPv4", cidr: "10.0.0.0/33" },
    { name: "too long for IPv6", cidr: "::/129" },
    { name: "a negative length", cidr: "10.0.0.0/-1" },
    { name: "a zero in front", cidr: "10.0.0.0/08" },
    { name: "no length", cidr: "10.0.0.0/" },
    { name: "two lengths", cidr: "10.0.0.0/8/8" },
    { name: "a host name", cidr: "proxy.example" },
    { name: "a short quad", cidr: "10.0/8" },
    { name: "a port", cidr: "10.0.0.1:80" },
    { name: "a netmask", cidr: "10.0.0.0/255.0.0.0" },
    { name: "an empty string", cidr: "" },
  ])("refuses $name", ({ cidr }) => {
    expect(problems(server(`trustedProxies: ["${cidr}"]`))).toEqual([
      expect.stringContaining("server.trustedProxies[0]: expected the address or CIDR block"),
    ]);
  });
});

describe("loadConfig server.hosts and server.host", () => {
  test("lowers host names, as Host headers are compared", () => {
    expect(load(server("hosts: [Notes.Example.ORG]")).config.server.hosts).toEqual([
      "notes.example.org",
    ]);
  });

  test.each([
    { name: "a URL", host: "https://notes.example.org" },
    { name: "a port", host: "notes.example.org:8484" },
    { name: "any", host: "*" },
    { name: "a wildcard", host: "*.example.org" },
    { name: "a hyphen in front", host: "-a.example" },
    { name: "an underscore", host: "a_b.example" },
    { name: "an empty label", host: "a..example" },
    { name: "a label of 64", host: `${"a".repeat(64)}.example` },
    { name: "254 characters", host: `${"a.".repeat(126)}aa` },
    { name: "an empty string", host: "" },
    { name: "a line break", host: "a.example\\n" },
  ])("refuses a host name: $name", ({ host }) => {
    expect(problems(server(`hosts: ["${host}"]`))).toEqual([
      expect.stringContaining("server.hosts[0]: expected a host name"),
    ]);
  });

  test.each([
    { name: "IPv4", host: "0.0.0.0" },
    { name: "IPv6", host: '"::"' },
    { name: "a name", host: "nest.internal" },
  ])("listens on $name", ({ host }) => {
    expect(load(server(`host: ${host}`)).config.server.host).toBe(host.replaceAll('"', ""));
  });

  test.each([
    { name: "an empty string", host: '""' },
    { name: "a port", host: "127.0.0.1:80" },
    { name: "brackets", host: '"[::1]"' },
    { name: "a number", host: "1" },
  ])("refuses to listen on $name", ({ host }) => {
    expect(problems(server(`host: ${host}`))).toEqual([
      expect.stringContaining("server.host: expected an IP address or host name"),
    ]);
  });
});

describe("loadConfig bounds", () => {
  test.each([
    {
      name: "server.port",
      low: 0,
      high: 65_535,
      text: (n: number | string) => server(`port: ${n}`),
    },
    {
      name: "server.rateLimit.maxFailures",
      low: 1,
      high: 1000,
      text: (n: number | string) => server(`rateLimit: { maxFailures: ${n} }`),
    },
    {
      name: "server.rateLimit.windowSeconds",
      low: 1,
      high: 86_400,
      text: (n: number | string) => server(`rateLimit: { windowSeconds: ${n} }`),
    },
    {
      name: "server.rateLimit.ipv6Prefix",
      low: 1,
      high: 128,
      text: (n: number | string) => server(`rateLimit: { ipv6Prefix: ${n} }`),
    },
    {
      name: "vault.maxFileBytes",
      low: 1,
      high: 2 ** 40,
      text: (n: number | string) => `${server()}vault: { maxFileBytes: ${n} }\n`,
    },
    {
      name: "webhooks.perSource",
      low: 1,
      high: 10_000,
      text: (n: number | string) => `${server()}webhooks: { perSource: ${n} }\n`,
    },
    {
      name: "webhooks.global",
      low: 1,
      high: 10_000,
      text: (n: number | string) => `${server()}webhooks: { global: ${n} }\n`,
    },
  ])(
    "$name takes whole numbers from $low to $high and nothing else",
    ({ name, low, high, text }) => {
      for (const good of [low, high]) expect(problems(text(good))).toEqual([]);
      for (const bad of [
        low - 1,
        high + 1,
        low + 0.5,
        ".nan",
        ".inf",
        '"1"',
        "true",
        "null",
        "[1]",
      ]) {
        expect(problems(text(bad))).toEqual([expect.stringContaining(`${name}: expected`)]);
      }
    },
  );
});

describe("loadConfig sessions, webhooks, agent and log", () => {
  test.each([
    { name: "a session name with a slash", text: 'sessions: { "../x": {} }', path: "sessions.?: " },
    {
      name: "a session name of 65",
      text: `sessions: { ${"a".repeat(65)}: {} }`,
      path: "sessions.?: ",
    },
    {
      name: "a session name that begins with -",
      text: 'sessions: { "-a": {} }',
      path: "sessions.?: ",
    },
    { name: "an empty cwd", text: 'sessions: { a: { cwd: "" } }', path: "sessions.a.cwd" },
    { name: "a session without a mapping", text: "sessions: { a: }", path: "sessions.a" },
    {
      name: "a source name in capitals",
      text: "webhooks: { sources: { CI: { secret: s, verify: bearer } } }",
      path: "webhooks.sources.CI",
    },
    {
      name: "a way to verify that is none",
      text: "webhooks: { sources: { ci: { secret: s, verify: none } } }",
      path: "webhooks.sources.ci.verify",
    },
    {
      name: "a source without a way to verify",
      text: "webhooks: { sources: { ci: { secret: s } } }",
      path: "webhooks.sources.ci.verify",
    },
    {
      name: "a source without a secret",
      text: "webhooks: { sources: { ci: { verify: bearer } } }",
      path: "webhooks.sources.ci.secret",
    },
    {
      name: "a source with an empty secret",
      text: 'webhooks: { sources: { ci: { secret: "", verify: bearer } } }',
      path: "webhooks.sources.ci.secret",
    },
    {
      name: "a source of an unknown session",
      text: "webhooks: { sources: { ci: { secret: s, verify: bearer, session: work } } }",
      path: "webhooks.sources.ci.session",
    },
    { name: "an empty command", text: "agent: { command: [] }", path: "agent.command" },
    { name: "a command as a string", text: "agent: { command: pi }", path: "agent.command" },
    { name: "an argument that is a number", text: "agent: { args: [1] }", path: "agent.args[0]" },
    {
      name: "an environment variable that is a number",
      text: "agent: { env: { A: 1 } }",
      path: "agent.env.A",
    },
    {
      name: "an environment variable's name with =",
      text: 'agent: { env: { "A=B": c } }',
      path: "agent.env.?: ",
    },
    {
      name: "a session name that mappings drop",
      text: "sessions: { constructor: {} }",
      path: 'sessions.constructor: expected another name than "constructor"',
    },
    {
      name: "an environment variable's name that mappings drop",
      text: 'agent: { env: { prototype: "1" } }',
      path: 'agent.env.prototype: expected another name than "prototype"',
    },
    { name: "a level that is none", text: "log: { level: verbose }", path: "log.level" },
    { name: "a format that is none", text: "log: { format: xml }", path: "log.format" },
    { name: "a section that is empty", text: "vault:", path: "vault" },
  ])("refuses $name", ({ text, path }) => {
    expect(problems(`${server()}${text}\n`)).toEqual([expect.stringContaining(`: ${path}`)]);
  });

  test("resolves a webhook source: a digest for bearer, the secret itself for what computes with it", () => {
    const { config } = load(
      [
        server(),
        "sessions: { work: {} }",
        "webhooks:",
        "  sources:",
        "    ci: { secret: shared, verify: bearer }",
        `    hashed: { secret: "sha256:${digestOf("shared").toHex()}", verify: bearer }`,
        '    git: { secret: shared, verify: github, session: work, template: "{{action}}" }',
        "",
      ].join("\n"),
    );
    expect(Object.fromEntries(config.webhooks.sources)).toEqual({
      ci: { verify: "bearer", digest: digestOf("shared"), session: "default" },
      hashed: { verify: "bearer", digest: digestOf("shared"), session: "default" },
      git: { verify: "github", secret: "shared", session: "work", template: "{{action}}" },
    });
  });
});

describe("loadConfig token strength", () => {
  const at = (host: string, token: string) => `server: { host: "${host}", token: "${token}" }\n`;

  test.each([
    { name: "127.0.0.1", host: "127.0.0.1" },
    { name: "all of 127/8", host: "127.9.9.9" },
    { name: "::1", host: "::1" },
    { name: "localhost", host: "localhost" },
  ])(
    "takes a token of four to fifteen characters on loopback, with a warning: $name",
    ({ host }) => {
      for (const length of [4, 15]) {
        const { warnings } = load(at(host, "k".repeat(length)));
        expect(warnings.map(formatProblem)).toEqual([
          expect.stringMatching(
            new RegExp(
              `^/srv/nest/config\\.yaml:1:\\d+: server\\.token: ${length} characters are few`,
            ),
          ),
        ]);
      }
      expect(problems(at(host, "kkk"))).toEqual([
        expect.stringContaining("server.token: expected at least 4 characters, found 3"),
      ]);
    },
  );

  test.each([
    { name: "every interface", host: "0.0.0.0" },
    { name: "every interface, IPv6", host: "::" },
    { name: "a private address", host: "192.168.1.5" },
    { name: "a host name", host: "nest.internal" },
    { name: "what only looks like loopback", host: "localhost.example" },
    { name: "what begins with 127", host: "127.example" },
  ])(
    "refuses a token under sixteen characters elsewhere, and warns under 32: $name",
    ({ host }) => {
      expect(problems(at(host, "k".repeat(15)))).toEqual([
        expect.stringContaining("server.token: expected at least 16 characters, found 15"),
      ]);
      for (const length of [16, 31])
        expect(load(at(host, "k".repeat(length))).warnings).toHaveLength(1);
      expect(load(at(host, "k".repeat(32))).warnings).toEqual([]);
    },
  );

  test("holds tokens of server.tokens to the same rule", () => {
    expect(
      problems(
        `server: { host: 0.0.0.0, token: ${TOKEN}, tokens: [{ name: a, token: short, scopes: [attach] }] }\n`,
      ),
    ).toEqual([expect.stringContaining("server.tokens[0].token: expected at least 16 characters")]);
  });

  test("holds tokens from the environment and from files to the same rule", () => {
    expect(problems("server: { token: env:T }\n", { T: "changeme" })).toEqual([
      expect.stringContaining("found a placeholder"),
    ]);
    using dir = tempDir();
    const file = join(dir.path, "config.yaml");
    writeFileSync(join(dir.path, "t"), " \n");
    writeFileSync(file, "server: { token: file:t }\n");
    expect(() => readConfigFile(file, {})).toThrow("found an empty one");
  });
});
