import { describe, expect, test } from "bun:test";
import { inspect } from "node:util";
import { loadConfig } from "../../src/config/load.ts";
import { ConfigError } from "../../src/config/problem.ts";

/** What must not appear, in several shapes that YAML reads differently. */
const MARKERS = [
  { name: "letters", secret: "mArKeR0123456789abcdefghijklmnopqrstuvwxyz" },
  { name: "as nest token prints it", secret: `nest_mArKeR-${"x_9-".repeat(9)}` },
  { name: "digits", secret: "918273645546372819" },
  { name: "short", secret: "mArKeR" },
];

const GOOD = "a-token-of-forty-characters-for-the-test";

/** Everything that a refusal says, by every way that it could be printed. */
function said(text: string, env: Record<string, string> = {}): string | undefined {
  try {
    loadConfig("config.yaml", text, {
      env,
      readFile: (path) => {
        throw Object.assign(new Error(`open '${path}'`), { code: "ENOENT" });
      },
    });
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return [error.message, error.stack, JSON.stringify(error), inspect(error, { depth: 9 })].join(
      "\n",
    );
  }
  return undefined;
}

/** Each puts the secret where it is refused. */
const PLACES: { name: string; text: (secret: string) => string }[] = [
  { name: "token in a list", text: (s) => `server: { token: [${s}] }` },
  { name: "token in a mapping", text: (s) => `server: { token: { value: ${s} } }` },
  { name: "token as a mapping's key", text: (s) => `server: { token: { ${s}: value } }` },
  { name: "token under a misspelled key", text: (s) => `server: { tokn: "${s}" }` },
  { name: "token under another section", text: (s) => `log: { token: "${s}" }` },
  { name: "token at the top", text: (s) => `token: "${s}"` },
  { name: "token twice", text: (s) => `server:\n  token: ${s}\n  token: ${s}` },
  {
    name: "token with a quote that is not closed",
    text: (s) => `server:\n  token: "${s}\n  port: 1`,
  },
  {
    name: "token with a single quote that is not closed",
    text: (s) => `server:\n  token: '${s}\n  port: 1`,
  },
  { name: "token with an unknown escape", text: (s) => `server:\n  token: "\\q${s}"` },
  { name: "token behind a quote", text: (s) => `server:\n  token: "" ${s}` },
  { name: "token with a colon", text: (s) => `server:\n  token: ${s}: ${s}` },
  { name: "token that begins with @", text: (s) => `server:\n  token: @${s}` },
  { name: "token that begins with a backtick", text: (s) => `server:\n  token: \`${s}` },
  { name: "token that begins with %", text: (s) => `server:\n  token: %${s}` },
  { name: "token that begins with *", text: (s) => `server:\n  token: *${s}` },
  { name: "token as an anchor's name", text: (s) => `server:\n  token: &${s}` },
  { name: "token as a tag", text: (s) => `server:\n  token: !${s}` },
  { name: "token behind a block's mark", text: (s) => `server:\n  token: |${s}` },
  { name: "token in a directive", text: (s) => `%YAML ${s}\n---\n!` },
  { name: "token behind a tab", text: (s) => `server:\n\ttoken: ${s}` },
  { name: "token in a bracket that is not closed", text: (s) => `server: { token: ${s}` },
  { name: "token indented too little", text: (s) => `server:\n    host: a\n  token: ${s}` },
  { name: "token in a second document", text: (s) => `server: {}\n---\nserver: { token: ${s} }` },
  { name: "token in a list as a key", text: (s) => `? [${s}]\n: 1` },
  { name: "token by an unknown merge", text: (s) => `x: &x { token: ${s} }\nserver: { <<: *x }` },
  {
    name: "token under a wrong neighbour",
    text: (s) => `server: { token: ${s}, port: 99999, hosts: 1 }`,
  },
  { name: "token with a space", text: (s) => `server: { token: "${s} ${s}" }` },
  { name: "token with an umlaut", text: (s) => `server: { token: "${s}ü" }` },
  { name: "token in place of a digest", text: (s) => `server: { token: "sha256:${s}" }` },
  {
    name: "token twice over two principals",
    text: (s) =>
      `server: { token: "${s}${s}", tokens: [{ name: a, token: "${s}${s}", scopes: [attach] }] }`,
  },
  {
    name: "token of server.tokens in a list",
    text: (s) =>
      `server: { token: ${GOOD}, tokens: [{ name: a, token: ["${s}"], scopes: [attach] }] }`,
  },
  {
    name: "token of server.tokens under a misspelled key",
    text: (s) =>
      `server: { token: ${GOOD}, tokens: [{ name: a, tken: "${s}", scopes: [attach] }] }`,
  },
  {
    name: "token of server.tokens without its scopes",
    text: (s) => `server: { token: ${GOOD}, tokens: [{ name: a, token: "${s}" }] }`,
  },
  { name: "agent.args as a string", text: (s) => `agent: { args: "--api-key ${s}" }` },
  { name: "agent.args with a mapping", text: (s) => `agent: { args: [{ --api-key: "${s}" }] }` },
  { name: "agent.args with a list", text: (s) => `agent: { args: [["${s}"]] }` },
  { name: "agent.command as a string", text: (s) => `agent: { command: "pi --api-key ${s}" }` },
  { name: "agent.env as a string", text: (s) => `agent: { env: "KEY=${s}" }` },
  { name: "agent.env as a list", text: (s) => `agent: { env: ["KEY=${s}"] }` },
  { name: "agent.env with a list", text: (s) => `agent: { env: { KEY: ["${s}"] } }` },
  { name: "agent.env with a mapping", text: (s) => `agent: { env: { KEY: { value: "${s}" } } }` },
  { name: "agent.env under a wrong name", text: (s) => `agent: { env: { "MY KEY": "${s}" } }` },
  { name: "agent.env under a misspelled key", text: (s) => `agent: { envv: { KEY: "${s}" } }` },
  {
    name: "a webhook's secret in a list",
    text: (s) => `webhooks: { sources: { a: { secret: ["${s}"], verify: bearer } } }`,
  },
  {
    name: "a webhook's secret in a mapping",
    text: (s) => `webhooks: { sources: { a: { secret: { is: "${s}" }, verify: bearer } } }`,
  },
  {
    name: "a webhook's secret under a misspelled key",
    text: (s) => `webhooks: { sources: { a: { secrt: "${s}", verify: bearer } } }`,
  },
  {
    name: "a webhook's secret without verify",
    text: (s) => `webhooks: { sources: { a: { secret: "${s}" } } }`,
  },
  {
    name: "a webhook's secret for an unknown session",
    text: (s) =>
      `server: { token: ${GOOD} }\nwebhooks: { sources: { a: { secret: "${s}", verify: github, session: b } } }`,
  },
  {
    name: "a webhook's secret in place of a digest",
    text: (s) =>
      `server: { token: ${GOOD} }\nwebhooks: { sources: { a: { secret: "sha256:${s}", verify: bearer } } }`,
  },
  {
    name: "a webhook's template in a list",
    text: (s) => `webhooks: { sources: { a: { secret: s, verify: bearer, template: ["${s}"] } } }`,
  },
  {
    name: "a webhook's template in a mapping",
    text: (s) =>
      `webhooks: { sources: { a: { secret: s, verify: bearer, template: { is: "${s}" } } } }`,
  },
];

/** Here a short word is shown, as a slip of the pen; what is long enough for a secret is not. */
const PLACES_FOR_LONG: { name: string; text: (secret: string) => string }[] = [
  { name: "token without a space behind the colon", text: (s) => `server:\n  token:${s}` },
  { name: "token in the place of server", text: (s) => `server: ${s}` },
  { name: "token alone in the file", text: (s) => s },
  {
    name: "token in the place of the list of tokens",
    text: (s) => `server: { token: ${GOOD}, tokens: ${s} }`,
  },
  {
    name: "token in the list of tokens",
    text: (s) => `server: { token: ${GOOD}, tokens: [${s}] }`,
  },
  {
    name: "token as the scopes",
    text: (s) => `server: { token: ${GOOD}, tokens: [{ name: a, token: ${GOOD}1, scopes: ${s} }] }`,
  },
  {
    name: "token among the scopes",
    text: (s) =>
      `server: { token: ${GOOD}, tokens: [{ name: a, token: ${GOOD}1, scopes: [${s}] }] }`,
  },
  {
    name: "token as expires",
    text: (s) =>
      `server: { token: ${GOOD}, tokens: [{ name: a, token: ${GOOD}1, scopes: [attach], expires: ${s} }] }`,
  },
  { name: "token as a key", text: (s) => `server: { ${s} }` },
  {
    name: "token as a key of tokens",
    text: (s) => `server: { token: ${GOOD}, tokens: [{ ${s}: a }] }`,
  },
  { name: "secret in the place of sources", text: (s) => `webhooks: { sources: ${s} }` },
  { name: "secret in the place of a source", text: (s) => `webhooks: { sources: { a: ${s} } }` },
  {
    name: "secret without a space",
    text: (s) => `webhooks:\n  sources:\n    a:\n      secret:${s}`,
  },
  {
    name: "secret as verify",
    text: (s) => `webhooks: { sources: { a: { secret: a, verify: ${s} } } }`,
  },
  {
    name: "secret as session",
    text: (s) => `webhooks: { sources: { a: { secret: a, verify: github, session: "${s}!" } } }`,
  },
  {
    name: "secret as a source's name",
    text: (s) => `webhooks: { sources: { "${s}!": { secret: a, verify: github } } }`,
  },
  { name: "agent.args without a space", text: (s) => `agent:\n  args:--api-key=${s}` },
  { name: "agent in one line", text: (s) => `agent: "${s}"` },
  { name: "cors as a string", text: (s) => `server: { token: ${GOOD}, cors: "${s}" }` },
  {
    name: "an origin with a password",
    text: (s) => `server: { token: ${GOOD}, cors: { origin: "https://a:${s}@b.example" } }`,
  },
  { name: "a proxy", text: (s) => `server: { token: ${GOOD}, trustedProxies: ["${s}"] }` },
  {
    name: "a host",
    text: (s) => `server: { token: ${GOOD}, hosts: ["${s}:80"], host: "http://${s}" }`,
  },
  { name: "the vault", text: (s) => `vault: { path: [${s}] }` },
];

describe("loadConfig never shows a secret", () => {
  test.each(PLACES)("$name", ({ text }) => {
    let refused = 0;
    for (const { secret } of MARKERS) {
      const message = said(`${text(secret)}\n`);
      if (message === undefined) continue;
      refused++;
      expect(message).not.toContain(secret);
    }
    // A row that is accepted would prove nothing.
    expect(refused).toBeGreaterThan(0);
  });

  test.each(PLACES_FOR_LONG)("$name", ({ text }) => {
    for (const { secret } of MARKERS) {
      if (secret.length < 20) continue;
      const message = said(`${text(secret)}\n`);
      expect(message).toBeDefined();
      expect(message).not.toContain(secret.slice(0, 12));
    }
  });

  test("as a number, a date or a boolean in place of the token", () => {
    for (const secret of ["918273645546372819", "9.18273645e+77", "0x9182736455463", "true"]) {
      const message = said(`server: { token: ${secret} }\n`);
      expect(message).toContain("server.token");
      for (const form of [secret, String(Number(secret))])
        expect(message).not.toContain(`found ${form}`);
      if (secret !== "true") expect(message).not.toContain(secret);
    }
  });

  test("that came from the environment", () => {
    for (const secret of ["mArKeR", "mArKeR with spaces", "mArKeRü", "mArKeR\n"]) {
      const message = said("server: { host: 0.0.0.0, token: env:T }\n", { T: secret });
      expect(message).toContain("server.token");
      expect(message).not.toContain("mArKeR");
    }
  });

  test("when a config is cut at any place", () => {
    const secret = "mArKeR0123456789abcdefghijklmnopqrstuvwxyz";
    const whole = [
      "server:",
      `  token: "${secret}"`,
      "  tokens:",
      `    - { name: a, token: '${secret}1', scopes: [attach] }`,
      "agent:",
      `  args: ["--api-key", "${secret}"]`,
      `  env: { KEY: "${secret}" }`,
      "webhooks:",
      "  sources:",
      `    ci: { secret: "${secret}", verify: github, template: "${secret}" }`,
      "",
    ].join("\n");
    for (let end = 0; end < whole.length; end++) {
      // The part that is left of the secret counts, too: eight characters of it are enough to tell.
      expect(said(whole.slice(0, end)) ?? "").not.toContain(secret.slice(0, 8));
    }
  });
});
