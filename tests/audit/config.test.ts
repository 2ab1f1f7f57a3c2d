import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { stringify } from "yaml";
import { CONFIG_CHECKS } from "../../src/audit/config-checks.ts";
import { digestOf } from "../../src/auth/authenticator.ts";
import { nest } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";
import type { AuditReport } from "./audited-nest.ts";

const TOKEN = `sha256:${digestOf("nest_a-token-for-the-audit-of-configs-0123456789ab").toHex()}`;

interface Row {
  readonly id: string;
  readonly name: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly prepare?: (dir: string) => void;
  readonly env?: Readonly<Record<string, string>>;
  /** Of config.yaml. */
  readonly mode?: number;
}

async function audited({ config = {}, prepare, env, mode = 0o600 }: Omit<Row, "id" | "name">) {
  using dir = tempDir();
  prepare?.(dir.path);
  const { server = {}, ...rest } = config as { server?: object };
  writeFileSync(
    join(dir.path, "config.yaml"),
    stringify({ server: { token: TOKEN, ...server }, ...rest }),
  );
  chmodSync(join(dir.path, "config.yaml"), mode);
  const { stdout, code } = await nest(["audit", "--config", "config.yaml", "--json"], {
    cwd: dir.path,
    env: { PATH: process.env["PATH"] ?? "", HOME: dir.path, ...env },
  });
  const report = JSON.parse(stdout) as AuditReport;
  const fell = report.checks.filter(({ outcome }) => outcome === "fell").map(({ id }) => id);
  return { fell, code, stdout };
}

const literal = { token: "nest_a-literal-token-0123456789abcdefghijklmnop" };

const ROWS: readonly Row[] = [
  { id: "config.valid", name: "an unknown key", config: { nonsense: 1 } },
  {
    id: "config.token",
    name: "a token of twenty characters",
    config: { server: { token: "file:token" } },
    prepare: (dir) => writeFileSync(join(dir, "token"), "twenty-characters-00", { mode: 0o600 }),
  },
  { id: "config.literal-secrets", name: "a token written out", config: { server: literal } },
  {
    id: "config.webhook-secrets",
    name: "a short secret",
    config: { webhooks: { sources: { github: { secret: "env:HOOK", verify: "github" } } } },
    env: { HOOK: "0123456789abcdef" },
  },
  {
    id: "config.file-modes",
    name: "a config with a literal that others read",
    config: { server: literal },
    mode: 0o644,
  },
  { id: "config.file-modes", name: "a config that everybody changes", mode: 0o666 },
  {
    id: "config.file-modes",
    name: "a secret file that others read",
    config: { server: { token: "file:token" } },
    prepare: (dir) => {
      writeFileSync(join(dir, "token"), literal.token);
      chmodSync(join(dir, "token"), 0o644);
    },
  },
  {
    id: "config.vault-mode",
    name: "a vault that others read",
    prepare: (dir) => {
      mkdirSync(join(dir, "vault"));
      chmodSync(join(dir, "vault"), 0o755);
    },
  },
  {
    id: "config.outside-vault",
    name: "a vault around the config",
    config: { vault: { path: "." } },
  },
  {
    id: "config.exposed",
    name: "every address, no proxy",
    config: { server: { host: "0.0.0.0" } },
  },
  {
    id: "config.trusted-proxies",
    name: "an IPv6 provider is a proxy",
    config: { server: { trustedProxies: ["2001:db8::/32"] } },
  },
  {
    id: "config.trusted-proxies",
    name: "a private network is a proxy",
    config: { server: { trustedProxies: ["10.0.0.0/8"] } },
  },
  {
    id: "config.cors",
    name: "a page without TLS",
    config: { server: { cors: { origin: "http://notes.example.org" } } },
  },
  {
    id: "config.lock-out",
    name: "a thousand guesses",
    config: { server: { rateLimit: { maxFailures: 1000 } } },
  },
  {
    id: "config.lock-out",
    name: "every IPv6 address alone",
    config: { server: { rateLimit: { ipv6Prefix: 128 } } },
  },
  {
    id: "config.expired-tokens",
    name: "a token that never ends",
    config: {
      server: {
        tokens: [{ name: "phone", token: `sha256:${"ab".repeat(32)}`, scopes: ["attach"] }],
      },
    },
  },
  {
    id: "config.expired-tokens",
    name: "a token past its date",
    config: {
      server: {
        tokens: [
          {
            name: "phone",
            token: `sha256:${"ab".repeat(32)}`,
            scopes: ["attach"],
            expires: "2020-01-01",
          },
        ],
      },
    },
  },
  {
    id: "config.agent-secrets",
    name: "extensions of the vault are trusted",
    config: { agent: { args: ["--approve"] } },
  },
  { id: "config.log", name: "no security log", config: { log: { audit: false } } },
  {
    id: "config.log",
    name: "a token in the security log",
    prepare: (dir) => {
      mkdirSync(join(dir, "sessions"), { mode: 0o700 });
      writeFileSync(join(dir, "sessions/audit.log"), `{"token":"nest_${"a".repeat(43)}"}\n`, {
        mode: 0o600,
      });
    },
  },
];

describe("nest audit --config", () => {
  test("a good config: nothing falls, exit 0", async () => {
    expect(await audited({})).toMatchObject({ fell: [], code: 0 });
  });

  test.each([...ROWS])("$id: $name", async (row) => {
    const { fell, code, stdout } = await audited(row);
    expect(fell).toContain(row.id);
    expect(code).toBe(1);
    // What is secret stays so.
    expect(stdout).not.toContain(literal.token);
    expect(stdout).not.toContain("0123456789abcdef");
    expect(stdout).not.toContain("twenty-characters-00");
  });

  test("each check of a config has a row here", () => {
    expect(
      CONFIG_CHECKS.map(({ id }) => id).filter((id) => !ROWS.some((row) => row.id === id)),
    ).toEqual([]);
  });
});
