import { existsSync, lstatSync, readFileSync, type Stats, statSync } from "node:fs";
import { dirname, resolve, sep } from "node:path";
import { parseSecret } from "../config/secret.ts";
import { type Check, Skipped } from "./check.ts";
import { configOf, type AuditedConfig } from "./world.ts";

/** Under this a secret can be guessed, characters: `nest token` prints 48. */
const GOOD_LENGTH = 32;

/** The checks that look at the config file alone: for CI, without a server. */
export const CONFIG_CHECKS: readonly Check[] = [
  {
    id: "config.valid",
    group: "config",
    title: "the config is good, and Nest starts with it",
    threat: "a mistake in the config that nobody notices",
    severity: "high",
    impact:
      "a limit or a name that was meant is not in force, or Nest does not come back after a restart",
    mitigation:
      "unknown keys, wrong values and missing secrets are errors, all at once, with their place",
    attack: "the config is read as `nest serve` reads it",
    cases: ["CVE-2026-22812", "GHSA-vxw4-wv6m-9hhh"],
    fix: "change what the line names",
    test: "tests/config/load.test.ts",
    needs: [],
    run({ config }) {
      if (config === undefined) throw new Skipped("no config file: name one with --config");
      return config.problems;
    },
  },
  {
    id: "config.token",
    group: "config",
    title: "the owner's token can't be guessed",
    threat: "guessing a short or well-known token",
    severity: "critical",
    impact: "a shell on this machine",
    mitigation:
      "placeholders, and away from loopback tokens under 16 characters, are refused; under 32 there is a warning; `nest token` makes 256 bits",
    attack: "the length of each token is looked at, where the config holds or names it",
    cases: ["CVE-2026-22812", "CWE-521"],
    fix: "nest token rotate owner",
    test: "tests/config/token-strength.test.ts",
    needs: ["config"],
    run(world) {
      return configOf(world).warnings.filter((line) => / (?:few|short|weak) /.test(` ${line} `));
    },
  },
  {
    id: "config.literal-secrets",
    group: "config",
    title: "the config holds nothing worth stealing",
    threat: "reading a token or a secret out of the config, a backup of it or a repository",
    severity: "medium",
    impact: "whoever reads the file has a shell; the agent can read it, too",
    mitigation: "`sha256:` keeps only a digest; `nest init` and `nest token` write nothing else",
    attack: "each secret in the file is looked at for its form",
    cases: ["CWE-312", "CWE-798"],
    fix: "nest token rotate NAME for tokens; env: or file: for secrets that sign",
    test: "tests/config/secret.test.ts",
    needs: ["config"],
    run(world) {
      const config = configOf(world);
      return secretsOf(config)
        .filter(({ text }) => parseSecret(text).kind === "literal")
        .map(({ key }) => `${key} is written out in ${config.file}`);
    },
  },
  {
    id: "config.webhook-secrets",
    group: "config",
    title: "webhook secrets are long enough",
    threat: "forging a webhook by guessing its secret offline, from one recorded delivery",
    severity: "high",
    impact: "prompts of a stranger's choice reach the agent",
    mitigation: "signatures are HMAC-SHA-256; the secret's length is the owner's choice",
    attack: "the length of each secret is looked at",
    cases: ["CVE-2026-28475", "CWE-521"],
    fix: "give the source a secret of at least 32 random characters, as `nest token` prints",
    test: "tests/webhook/signatures.test.ts",
    needs: ["config"],
    run(world) {
      const { sources } = configOf(world).config.webhooks;
      return [...sources].flatMap(([name, source]) =>
        "secret" in source && source.secret.length < GOOD_LENGTH
          ? [`webhooks.sources.${name}.secret has ${source.secret.length} characters`]
          : [],
      );
    },
  },
  {
    id: "config.file-modes",
    group: "config",
    title: "nobody else reads or changes the config and what it names",
    threat: "another user of this machine reads a secret or puts in a token of their own",
    severity: "high",
    impact: "a shell as the user of Nest",
    mitigation: "`nest init` writes with mode 0600; the security log is made with 0600",
    attack:
      "owner and mode of the config, of each `file:` secret, of the security log and of the folders that they lie in",
    cases: ["CWE-732", "CVE-2026-41349"],
    fix: "chmod 600 the file, chmod go-w the folder, chown it to the user of Nest or to root",
    test: "tests/audit/config.test.ts",
    needs: ["config"],
    run(world) {
      const config = configOf(world);
      const isHashed = secretsOf(config).every(({ text }) =>
        ["sha256", "file", "env"].includes(parseSecret(text).kind),
      );
      return [
        ...openness(config.path, isHashed ? "write" : "read"),
        ...secretFiles(config).flatMap((path) => openness(path, "read")),
        ...(config.config.log.audit === undefined ? [] : openness(config.config.log.audit, "read")),
        ...openness(dirname(config.path), "write"),
      ];
    },
  },
  {
    id: "config.vault-mode",
    group: "config",
    title: "nobody else reads or changes the vault",
    threat: "another user of this machine reads notes, or writes some for the agent to obey",
    severity: "medium",
    impact: "private notes; prompts of a stranger's choice",
    mitigation: "the vault is made with mode 0700",
    attack: "owner and mode of the vault and of `sessions/`",
    cases: ["CWE-732"],
    fix: "chmod 700 the folder",
    test: "tests/audit/config.test.ts",
    needs: ["config"],
    run(world) {
      const { config, path } = configOf(world);
      const folders = [config.vault.path, resolve(dirname(path), "sessions")];
      // In the container there is nobody else but root.
      const most = world.privileges === undefined ? "read" : "write";
      return folders.flatMap((folder) => openness(folder, most));
    },
  },
  {
    id: "config.outside-vault",
    group: "config",
    title: "the config, its secrets and the log lie outside the vault",
    threat: "a client with `vault:write`, or the agent in the vault, edits the config",
    severity: "critical",
    impact: "a token of their own; every limit switched off",
    mitigation: "`nest init` puts the vault beside the config, not around it",
    attack: "the paths are compared",
    cases: ["CVE-2026-41349", "CVE-2026-45001"],
    fix: "move the config, or set vault.path to a folder of its own",
    test: "tests/audit/config.test.ts",
    needs: ["config"],
    run(world) {
      const config = configOf(world);
      const { vault, log } = config.config;
      const kept = [config.path, ...secretFiles(config), ...(log.audit ? [log.audit] : [])];
      return kept
        .filter((path) => `${path}${sep}`.startsWith(`${vault.path}${sep}`))
        .map((path) => `${path} lies in the vault`);
    },
  },
  {
    id: "config.exposed",
    group: "config",
    title: "Nest is reached from elsewhere through TLS only",
    threat: "listening in on a connection",
    severity: "critical",
    impact: "the token, and so a shell",
    mitigation:
      "Nest listens on loopback unless told otherwise; TLS is a proxy's, which `server.trustedProxies` names",
    attack: "`server.host` and `server.trustedProxies` are looked at",
    cases: ["CWE-319", "CVE-2026-22812"],
    fix: "set server.host to 127.0.0.1 and put a proxy with TLS in front: docs/deployment.md",
    test: "tests/audit/config.test.ts",
    needs: ["config"],
    run(world) {
      const { host, trustedProxies } = configOf(world).config.server;
      if (isLoopbackHost(host) || trustedProxies.length > 0) return [];
      return [`server.host is ${host}, and no proxy with TLS is named in server.trustedProxies`];
    },
  },
  {
    id: "config.trusted-proxies",
    group: "config",
    title: "only a proxy's own address is believed about who a client is",
    threat: "claiming another address, to guess without end or to lock out somebody else",
    severity: "high",
    impact: "the lock-out is worth nothing",
    mitigation: "forwarding headers are read from `server.trustedProxies` alone, right to left",
    attack: "the size of each trusted network is looked at",
    cases: ["CVE-2026-35656", "GHSA-844j-xrrq-wgh4"],
    fix: "name the proxy's one address",
    test: "tests/limit/client-address.test.ts",
    needs: ["config"],
    run(world) {
      const list = rawList(configOf(world).raw, ["server", "trustedProxies"]);
      return list.flatMap((entry) => {
        const [address = "", bits] = entry.split("/");
        if (bits === undefined) return [];
        const hosts = (address.includes(":") ? 128 : 32) - Number(bits);
        return hosts > 8 ? [`server.trustedProxies: ${entry} is 2^${hosts} addresses`] : [];
      });
    },
  },
  {
    id: "config.cors",
    group: "config",
    title: "only pages that came over TLS may call the API",
    threat: "changing a page on its way, and with it what it does with the owner's token",
    severity: "medium",
    impact: "what the page's user may do, the attacker may",
    mitigation: 'CORS is off unless configured; exact origins only, "*" and "null" are refused',
    attack: "each origin is looked at for its scheme",
    cases: ["GHSA-88fw-hqm2-52qc", "CVE-2026-54290", "CWE-942"],
    fix: "serve that page over https and name that origin",
    test: "tests/http/pipeline.test.ts",
    needs: ["config"],
    run(world) {
      return configOf(world)
        .config.server.corsOrigins.filter(
          (origin) => origin.startsWith("http:") && !isLoopbackHost(new URL(origin).hostname),
        )
        .map((origin) => `server.cors.origin: ${origin} is not https`);
    },
  },
  {
    id: "config.lock-out",
    group: "config",
    title: "the lock-out is not looser than Nest's own",
    threat: "guessing a token over and over",
    severity: "medium",
    impact: "more guesses than a short token stands",
    mitigation: "10 failures in 60 s lock an address",
    attack: "guesses a minute, from `server.rateLimit`",
    cases: ["CWE-307", "CVE-2026-32025"],
    fix: "take server.rateLimit out of the config",
    test: "tests/limit/lock-out.test.ts",
    needs: ["config"],
    run(world) {
      const { maxFailures, windowSeconds, ipv6Prefix } = configOf(world).config.server.rateLimit;
      const perMinute = (maxFailures / windowSeconds) * 60;
      return [
        ...(perMinute > 10
          ? [`server.rateLimit allows ${Math.round(perMinute)} guesses a minute`]
          : []),
        ...(ipv6Prefix > 64
          ? [
              `server.rateLimit.ipv6Prefix ${ipv6Prefix}: one host has 2^${ipv6Prefix - 64} of those`,
            ]
          : []),
      ];
    },
  },
  {
    id: "config.expired-tokens",
    group: "config",
    title: "tokens that control the agent have a date, and none is past it",
    threat: "a token that was given away and forgotten",
    severity: "low",
    impact: "what its scopes say, for as long as it lies around",
    mitigation: "`expires`, `nest token list` and `nest token revoke`",
    attack: "the dates of `server.tokens` are looked at",
    cases: ["CWE-613"],
    fix: "nest token revoke NAME, or nest token add NAME --expires DATE",
    test: "tests/auth/authenticator.test.ts",
    needs: ["config"],
    run(world) {
      const [, ...others] = configOf(world).config.server.principals;
      return others.flatMap(({ name, scopes, expiresMs }) => {
        if (expiresMs !== undefined && expiresMs < world.clock.wallMs())
          return [`the token "${name}" is past its date and still listed`];
        const isStrong = scopes.has("admin") || scopes.has("attach") || scopes.has("prompt");
        return isStrong && expiresMs === undefined ? [`the token "${name}" never ends`] : [];
      });
    },
  },
  {
    id: "config.agent-secrets",
    group: "config",
    title: "Nest's own secrets don't go to the agent",
    threat: "the agent is talked into telling what is in its environment",
    severity: "high",
    impact: "the owner's token",
    mitigation: "the agent's environment is an allow-list without the variables that `env:` names",
    attack: "`agent.env` and `agent.args` are held against the secrets of the config",
    cases: ["CWE-526", "NemoClaw#2378"],
    fix: "take the variable out of agent.env; take --approve out of agent.args",
    test: "tests/agent/child-environment.test.ts",
    needs: ["config"],
    run(world) {
      const { agent } = configOf(world).config;
      return [
        ...Object.entries(agent.env)
          .filter(([name, value]) => agent.withheldEnv.includes(name) || /^nest_.{20}/.test(value))
          .map(([name]) => `agent.env.${name} gives the agent a secret of Nest's`),
        ...(agent.args.includes("--approve")
          ? ["agent.args: --approve runs extensions that a file in the vault brings along"]
          : []),
      ];
    },
  },
  {
    id: "config.log",
    group: "config",
    title: "who did what is written down, and no token with it",
    threat: "an attack that nobody hears of; a token read out of a log",
    severity: "medium",
    impact: "a stolen token stays in use",
    mitigation:
      "the security log is on by default, mode 0600; no line holds a token, a body or a query string",
    attack:
      "`log.audit` is looked at, and the log's newest megabyte is searched for anything of a token's form",
    cases: ["openclaw#155384", "CWE-532", "CWE-778"],
    fix: "take log.audit: false out; rotate a token that the log holds",
    test: "tests/log/audit-log.test.ts",
    needs: ["config"],
    run(world) {
      const { audit } = configOf(world).config.log;
      if (audit === undefined) return ["log.audit is false: there is no security log"];
      const text = existsSync(audit) ? newest(audit) : "";
      const token = world.target?.token;
      const isLeaked =
        /(?<![A-Za-z0-9_-])nest_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/.test(text) ||
        (token !== undefined && token.length >= 8 && text.includes(token));
      return isLeaked ? [`${audit} holds what looks like a token`] : [];
    },
  },
];

function secretsOf({ raw }: AuditedConfig): { key: string; text: string }[] {
  const found: { key: string; text: string }[] = [];
  const visit = (value: unknown, key: string) => {
    if (typeof value !== "object" || value === null) return;
    for (const [name, inner] of Object.entries(value)) {
      const path = Array.isArray(value) ? `${key}[${name}]` : key === "" ? name : `${key}.${name}`;
      const isSecret = /^server\.(?:tokens\[\d+\]\.)?token$|^webhooks\.sources\..+\.secret$/;
      if (typeof inner === "string" && isSecret.test(path)) found.push({ key: path, text: inner });
      else visit(inner, path);
    }
  };
  visit(raw, "");
  return found;
}

function secretFiles(config: AuditedConfig): string[] {
  return secretsOf(config).flatMap(({ text }) => {
    const secret = parseSecret(text);
    return secret.kind === "file" ? [resolve(dirname(config.path), secret.path)] : [];
  });
}

function rawList(raw: unknown, path: readonly string[]): string[] {
  let value = raw;
  for (const name of path) value = (value as Record<string, unknown> | undefined)?.[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** What others than its owner, root and this user may do there; nothing of what is not there. */
export function openness(path: string, most: "read" | "write"): string[] {
  let stats: Stats;
  try {
    stats = lstatSync(path).isSymbolicLink() ? statSync(path) : lstatSync(path);
  } catch {
    return [];
  }
  const found: string[] = [];
  const mode = (stats.mode & 0o777).toString(8).padStart(4, "0");
  const own = process.getuid?.() ?? stats.uid;
  if (stats.uid !== 0 && own !== 0 && stats.uid !== own)
    found.push(`${path} belongs to user ${stats.uid}`);
  // A sticky folder: nobody replaces another's file in it.
  // A group of one's own, as most systems make for each user, holds nobody else.
  const isOwnGroup = stats.gid === stats.uid;
  const isSticky = stats.isDirectory() && (stats.mode & 0o1000) !== 0;
  if ((stats.mode & 0o002) !== 0 && !isSticky)
    found.push(`${path} can be changed by everybody (${mode})`);
  else if ((stats.mode & 0o020) !== 0 && !isSticky && !isOwnGroup)
    found.push(`${path} can be changed by its group (${mode})`);
  else if (most === "read" && (stats.mode & (isOwnGroup ? 0o004 : 0o044)) !== 0)
    found.push(`${path} can be read by others (${mode})`);
  return found;
}

export function isLoopbackHost(host: string): boolean {
  return /^(?:localhost|.+\.localhost|127\.[\d.]+|\[?::1\]?)$/i.test(host);
}

function newest(path: string): string {
  try {
    const bytes = readFileSync(path);
    return bytes.subarray(Math.max(0, bytes.length - 1024 * 1024)).toString("latin1");
  } catch {
    return "";
  }
}
