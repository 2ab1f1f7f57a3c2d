import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bareEnv, nest } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";

const LONG = "nest_a-good-long-token-for-tests-0123456789abcdef";

/** What a folder holds, without what Bun itself keeps in a home. */
const entries = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name !== ".bun")
    .toSorted();

describe("nest", () => {
  test.each([
    { name: "--help", args: ["--help"], code: 0, out: "Usage: nest" },
    { name: "--version", args: ["--version"], code: 0, out: "0.1.0" },
    { name: "serve --help", args: ["serve", "--help"], code: 0, out: "--demo" },
    { name: "init --help", args: ["init", "--help"], code: 0, out: "--yes" },
    { name: "token --help", args: ["token", "--help"], code: 0, out: "--hash" },
    { name: "health --help", args: ["health", "--help"], code: 0, out: "/health" },
    { name: "an unknown command", args: ["sevre"], code: 2, err: 'no command "sevre"' },
    { name: "an unknown flag", args: ["serve", "--wrong"], code: 2, err: "--wrong" },
    { name: "an unknown flag of the default command", args: ["--wrong"], code: 2, err: "--wrong" },
    { name: "an argument too many", args: ["token", "x"], code: 2, err: "unexpected argument" },
    { name: "a flag without its value", args: ["serve", "--config"], code: 2, err: "--config" },
  ])("$name: exit $code", async ({ args, code, out = "", err = "" }) => {
    using dir = tempDir();
    const result = await nest(args, { cwd: dir.path });
    expect([result.code, result.stdout.includes(out), result.stderr.includes(err)]).toEqual([
      code,
      true,
      true,
    ]);
    expect(entries(dir.path)).toEqual([]);
  });
});

describe("nest token", () => {
  test("prints 256 bits as nest_ and base64url, another each time; --hash makes the config's form of it", async () => {
    using dir = tempDir();
    const [one, two] = [
      await nest(["token"], { cwd: dir.path }),
      await nest(["token"], { cwd: dir.path }),
    ];
    expect(one.stdout).toMatch(/^nest_[A-Za-z0-9_-]{43}\n$/);
    expect(one.stdout).not.toBe(two.stdout);
    const hashed = await nest(["token", "--hash"], { cwd: dir.path, input: one.stdout });
    const expected = new Bun.CryptoHasher("sha256").update(one.stdout.trim()).digest("hex");
    expect(hashed.stdout).toBe(`sha256:${expected}\n`);
    expect((await nest(["token", "--hash"], { cwd: dir.path, input: "" })).code).toBe(2);
  });
});

describe("nest init", () => {
  test("writes a config for its owner alone and a vault, prints the token once, and keeps only its hash", async () => {
    using dir = tempDir();
    const { code, stdout, stderr } = await nest(["init", "--yes"], { cwd: dir.path });
    expect([code, stderr]).toEqual([0, ""]);
    const tokens = stdout.match(/nest_[A-Za-z0-9_-]{43}/g) ?? [];
    expect(tokens).toHaveLength(1);
    const config = readFileSync(join(dir.path, "config.yaml"), "utf8");
    expect(statSync(join(dir.path, "config.yaml")).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir.path, "vault")).mode & 0o777).toBe(0o700);
    expect(config).not.toContain(tokens[0] as string);
    expect(config).toContain(
      new Bun.CryptoHasher("sha256").update(tokens[0] as string).digest("hex"),
    );
    expect(readFileSync(join(dir.path, "vault", "Welcome.md"), "utf8")).toStartWith("# Welcome");
    expect(entries(dir.path)).toEqual(["config.yaml", "vault"]);
  });

  test("never overwrites: an existing config ends it with exit 2, an existing vault stays as it is", async () => {
    using dir = tempDir();
    writeFileSync(join(dir.path, "config.yaml"), "mine");
    const refused = await nest(["init", "--yes"], { cwd: dir.path });
    expect([refused.code, refused.stderr.split("\n").length]).toEqual([2, 2]);
    expect(readFileSync(join(dir.path, "config.yaml"), "utf8")).toBe("mine");
    expect(existsSync(join(dir.path, "vault"))).toBe(false);

    mkdirSync(join(dir.path, "other", "vault"), { recursive: true });
    writeFileSync(join(dir.path, "other", "vault", "note.md"), "mine");
    expect((await nest(["init", "--config", "other/config.yaml"], { cwd: dir.path })).code).toBe(0);
    expect(readdirSync(join(dir.path, "other", "vault"))).toEqual(["note.md"]);
  });
});

describe("nest serve, in the way of starting: exit 2, one clear line, nothing started", () => {
  const start = (dir: string, config: string, env?: Record<string, string>) => {
    writeFileSync(join(dir, "config.yaml"), config);
    return nest(["serve"], { cwd: dir, env: env ?? bareEnv(dir) });
  };
  const oneLine = (stderr: string) => stderr.trimEnd().split("\n").length === 1;

  test("a port in use", async () => {
    using dir = tempDir();
    using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    const { code, stderr } = await start(
      dir.path,
      `server: { token: ${LONG}, port: ${other.port} }\n`,
    );
    expect([code, oneLine(stderr)]).toEqual([2, true]);
    expect(stderr).toContain("the port is in use");
    expect(stderr).toContain("server.port");
  });

  test("an address that is not this machine's", async () => {
    using dir = tempDir();
    const { code, stderr } = await start(
      dir.path,
      `server: { token: ${LONG}, host: 203.0.113.1 }\n`,
    );
    expect([code, oneLine(stderr)]).toEqual([2, true]);
  });

  test.each([
    { name: "below a file", path: "config.yaml/vault" },
    { name: "on a filesystem that takes no files", path: "/proc/nest-vault" },
  ])("a vault $name", async ({ path }) => {
    using dir = tempDir();
    const { code, stderr } = await start(
      dir.path,
      `server: { token: ${LONG}, port: 0 }\nvault: { path: ${path} }\n`,
    );
    expect([code, oneLine(stderr)]).toEqual([2, true]);
    expect(stderr).toContain("vault.path");
  });

  test("a missing pi", async () => {
    using dir = tempDir();
    const { code, stderr } = await start(
      dir.path,
      `server: { token: ${LONG}, port: 0 }\nagent: { command: [no-such-pi] }\n`,
    );
    expect([code, oneLine(stderr)]).toEqual([2, true]);
    expect(stderr).toContain("no-such-pi");
    expect(stderr).toContain("agent.command");
  });

  test("an invalid config: every problem with its place, no secret", async () => {
    using dir = tempDir();
    const config =
      "server:\n  tokn: nest_SECRET-MARKER\n  port: 99999\nvault:\n  maxFileBytes: many\nlgo: {}\n";
    const { code, stderr } = await start(dir.path, config);
    expect(code).toBe(2);
    const places = stderr
      .trimEnd()
      .split("\n")
      .map((line) => line.split(": ").slice(0, 2).join(" "));
    expect(places.toSorted()).toEqual(
      [
        "config.yaml:2:3 server.token",
        "config.yaml:2:3 server.tokn",
        "config.yaml:3:9 server.port",
        "config.yaml:5:17 vault.maxFileBytes",
        "config.yaml:6:1 lgo",
      ].toSorted(),
    );
    expect(stderr).toContain('did you mean "token"?');
    expect(stderr).not.toContain("SECRET-MARKER");
  });

  test.each([
    { name: "unset", token: "" },
    { name: "empty", token: 'token: ""' },
    { name: "blank", token: 'token: "   "' },
    { name: "undefined", token: "token: undefined" },
    { name: "changeme", token: "token: changeme" },
    { name: "the example's", token: "token: replace-me-with-what-nest-token-prints" },
    { name: "three characters", token: "token: abc" },
    { name: "an unset variable", token: "token: env:NEST_NO_SUCH_VARIABLE" },
    { name: "a missing file", token: "token: file:no-such-file" },
    { name: "short away from loopback", token: "token: fifteen-letters\n  host: 0.0.0.0" },
  ])("a token that is $name (CVE-2026-22812)", async ({ token }) => {
    using dir = tempDir();
    const { code, stderr } = await start(dir.path, `server:\n  port: 0\n  ${token}\n`);
    expect(code).toBe(2);
    expect(stderr).toContain("server.token");
  });

  test("a config that can't be read", async () => {
    using dir = tempDir();
    mkdirSync(join(dir.path, "config.yaml"));
    const { code, stderr } = await nest(["serve"], { cwd: dir.path });
    expect([code, oneLine(stderr)]).toEqual([2, true]);
  });
});
