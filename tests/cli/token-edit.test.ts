import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test, setDefaultTimeout } from "bun:test";
import { digestOf } from "../../src/auth/authenticator.ts";
import { readConfigFile } from "../../src/cli/config-file.ts";
import { attach } from "../support/attach-client.ts";
import { NestProcess, bareEnv, nest } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

const OWNER = "nest_a-good-long-token-for-tests-0123456789abcdef";

const CONFIG = `# My Nest, and why it is so.
server:
  port: 0 # any
  # The owner's.
  token: ${OWNER} # do not lose
  tokens:
    # The old phone.
    - name: old
      token: sha256:${digestOf("old").toHex()} # from 2026
      scopes: [attach]
  hosts: [ nest.example.org ]   # behind Caddy

# Nothing below is touched.
log:
  level: info
`;

const configIn = (dir: string, text = CONFIG) => {
  const file = join(dir, "config.yaml");
  writeFileSync(file, text, { mode: 0o600 });
  return file;
};
const read = (file: string) => readFileSync(file, "utf8");
const principals = (file: string) => readConfigFile(file, {}).config.server.principals;
const comments = (text: string) => [...text.matchAll(/#.*$/gm)].map(([comment]) => comment);

describe("nest token add, list, revoke, rotate", () => {
  test("add: prints the token once, keeps its hash, every comment and the mode", async () => {
    using dir = tempDir();
    const file = configIn(dir.path);
    const { code, stdout, stderr } = await nest(
      ["token", "add", "phone", "--scopes", "attach,prompt", "--expires", "2099-01-31"],
      { cwd: dir.path },
    );
    expect([code, stderr]).toEqual([0, expect.stringContaining("No running Nest")]);
    expect(stdout).toMatch(/^nest_[A-Za-z0-9_-]{43}\n$/);
    const text = read(file);
    expect(text).not.toContain(stdout.trim());
    expect(text).toContain(`token: ${OWNER} # do not lose`);
    expect(comments(text)).toEqual(comments(CONFIG));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(principals(file).at(-1)).toEqual({
      name: "phone",
      digest: digestOf(stdout.trim()),
      scopes: new Set(["attach", "prompt"]),
      expiresMs: Date.UTC(2099, 0, 31),
    });
    expect(readdirSync(dir.path).filter((name) => name.includes("edit"))).toEqual([]);
  });

  test("rotate: another secret in the same place, the owner's too; revoke: it is gone, the rest stays", async () => {
    using dir = tempDir();
    const file = configIn(dir.path);
    for (const name of ["old", "owner"]) {
      const { stdout } = await nest(["token", "rotate", name], { cwd: dir.path });
      const digest = digestOf(stdout.trim());
      expect(principals(file).find((principal) => principal.name === name)?.digest).toEqual(digest);
    }
    expect(read(file)).not.toContain(OWNER);
    expect(comments(read(file))).toEqual(comments(CONFIG));
    const { code, stdout } = await nest(["token", "revoke", "old"], { cwd: dir.path });
    expect([code, stdout]).toEqual([0, ""]);
    expect(principals(file).map(({ name }) => name)).toEqual(["owner"]);
    expect(read(file)).toContain("# Nothing below is touched.\nlog:\n  level: info\n");
    // And again from an empty list.
    await nest(["token", "add", "new", "--scopes", "webhook"], { cwd: dir.path });
    expect(principals(file).map(({ name }) => name)).toEqual(["owner", "new"]);
  });

  test("the example with every comment in it can be edited and keeps them", async () => {
    using dir = tempDir();
    const example = read(new URL("../../config.example.yaml", import.meta.url).pathname).replace(
      /token: replace-me\S*/,
      `token: ${OWNER}`,
    );
    const file = configIn(dir.path, example);
    const { code, stderr } = await nest(["token", "add", "phone", "--scopes", "attach"], {
      cwd: dir.path,
    });
    expect([code, stderr.includes("expected")]).toEqual([0, false]);
    expect(comments(read(file)).toSorted()).toEqual(comments(example).toSorted());
    expect(principals(file).map(({ name }) => name)).toEqual(["owner", "phone"]);
  });

  test("list: names, scopes and dates, nothing else", async () => {
    using dir = tempDir();
    configIn(
      dir.path,
      CONFIG.replace("scopes: [attach]", "scopes: [attach, webhook]\n      expires: 2020-01-01"),
    );
    const { code, stdout } = await nest(["token", "list"], { cwd: dir.path });
    expect(code).toBe(0);
    expect(stdout).toBe(
      "owner  everything      never\nold    attach,webhook  2020-01-01T00:00:00.000Z (expired)\n",
    );
  });

  test.each([
    {
      name: "a name that is taken",
      args: ["add", "old", "--scopes", "attach"],
      err: 'there is a token "old" already',
    },
    {
      name: "the owner's name",
      args: ["add", "owner", "--scopes", "attach"],
      err: 'there is a token "owner" already',
    },
    { name: "no scopes", args: ["add", "x"], err: "expected --scopes" },
    {
      name: "a scope that is none",
      args: ["add", "x", "--scopes", "attach,root"],
      err: "expected --scopes",
    },
    {
      name: "a date that is none",
      args: ["add", "x", "--scopes", "attach", "--expires", "tomorrow"],
      err: "server.tokens[1].expires",
    },
    { name: "no name", args: ["add", "--scopes", "attach"], err: "expected a name" },
    {
      name: "a name with a newline",
      args: ["add", "a\nb", "--scopes", "attach"],
      err: "expected a name",
    },
    { name: "an unknown token", args: ["revoke", "nobody"], err: 'there is no token "nobody"' },
    { name: "to revoke the owner's", args: ["revoke", "owner"], err: "rotate it instead" },
    {
      name: "to rotate with scopes",
      args: ["rotate", "old", "--scopes", "admin"],
      err: "expected no --scopes",
    },
  ])("refuses $name, and nothing changes", async ({ args, err }) => {
    using dir = tempDir();
    const file = configIn(dir.path);
    const result = await nest(["token", ...args], { cwd: dir.path });
    expect([result.code, result.stdout]).toEqual([2, ""]);
    expect(result.stderr).toContain(err);
    expect(read(file)).toBe(CONFIG);
    expect(readdirSync(dir.path).filter((name) => name.includes("edit"))).toEqual([]);
  });

  test("a secret that is kept elsewhere is not replaced here; not being there does no harm", async () => {
    using dir = tempDir();
    const text = CONFIG.replace(OWNER, "env:NEST_OWNER_TOKEN");
    const file = configIn(dir.path, text);
    const { code, stderr } = await nest(["token", "rotate", "owner"], { cwd: dir.path });
    expect(code).toBe(2);
    expect(stderr).toContain("is kept in the variable NEST_OWNER_TOKEN: change it there");
    expect(read(file)).toBe(text);
    expect((await nest(["token", "revoke", "old"], { cwd: dir.path })).code).toBe(0);
  });

  test("two edits at once: one is told so, or both are in", async () => {
    using dir = tempDir();
    const file = configIn(dir.path);
    const names = ["a", "b", "c", "d"];
    const results = await Promise.all(
      names.map((name) => nest(["token", "add", name, "--scopes", "webhook"], { cwd: dir.path })),
    );
    const added = names.filter((_, i) => results[i]?.code === 0);
    for (const { code, stderr } of results)
      if (code !== 0) expect(stderr).toContain("another edit is under way");
    expect(added.length).toBeGreaterThan(0);
    expect(
      principals(file)
        .map(({ name }) => name)
        .toSorted(),
    ).toEqual(["old", "owner", ...added].toSorted());
  });

  test("a link stays one, and the file behind it is changed, its mode kept", async () => {
    using dir = tempDir();
    mkdirSync(join(dir.path, "real"));
    const file = configIn(join(dir.path, "real"));
    chmodSync(file, 0o640);
    symlinkSync(file, join(dir.path, "config.yaml"));
    expect((await nest(["token", "revoke", "old"], { cwd: dir.path })).code).toBe(0);
    expect(read(file)).not.toContain("name: old");
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });
});

describe("a running Nest", () => {
  /** A server on its own config, and a client's headers from an address of its choice. */
  async function start(dir: string) {
    configIn(dir, CONFIG.replace("server:", "server:\n  trustedProxies: [127.0.0.1]"));
    const server = new NestProcess(["serve", "--demo"], { cwd: dir, env: bareEnv(dir) });
    const url = await server.url();
    await until("it can be spoken to", () => existsSync(join(dir, "sessions", "config.yaml.sock")));
    return { server, url, attachUrl: `${url.replace("http", "ws")}/attach` };
  }
  const status = async (url: string, token: string, address = "198.51.100.1") =>
    (
      await fetch(`${url}/api/status`, {
        headers: { Authorization: `Bearer ${token}`, "X-Forwarded-For": address },
      })
    ).status;

  test("follows: a new token works, a rotated one is exchanged, a revoked one is out at once, sockets included", async () => {
    using dir = tempDir();
    const { server, url, attachUrl } = await start(dir.path);
    await using _ = server;
    const added = await nest(["token", "add", "phone", "--scopes", "attach"], { cwd: dir.path });
    expect(added.stderr).toContain("The running Nest follows it.");
    const first = added.stdout.trim();
    expect(await status(url, first)).toBe(200);
    const second = (await nest(["token", "rotate", "phone"], { cwd: dir.path })).stdout.trim();
    expect([await status(url, first), await status(url, second)]).toEqual([401, 200]);
    await using client = await attach(attachUrl, second);
    expect((await nest(["token", "revoke", "phone"], { cwd: dir.path })).code).toBe(0);
    expect(await client.closed()).toMatchObject({ code: 4003 });
    expect(await status(url, second)).toBe(401);
    const audit = read(join(dir.path, "sessions", "audit.log"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(
      audit
        .filter(({ event }) => event === "token_changed")
        .map(({ token, action }) => [token, action]),
    ).toEqual([
      ["phone", "add"],
      ["phone", "rotate"],
      ["phone", "revoke"],
    ]);
    expect(
      audit
        .filter(({ event }) => event === "token_rotated")
        .map(({ token, reason }) => [token, reason]),
    ).toEqual([
      ["phone", "added"],
      ["phone", "changed"],
      ["phone", "removed"],
    ]);
    expect(statSync(join(dir.path, "sessions", "audit.log")).mode & 0o777).toBe(0o600);
    for (const token of [first, second, OWNER]) expect(JSON.stringify(audit)).not.toContain(token);
  });

  test("nest unlock ends a lock-out, without a token, though everybody is locked out", async () => {
    using dir = tempDir();
    const { server, url } = await start(dir.path);
    await using _ = server;
    for (const address of ["192.0.2.1", "2001:db8::1"])
      for (let i = 0; i < 10; i++) expect(await status(url, "wrong", address)).toBe(401);
    expect(await status(url, OWNER, "192.0.2.1")).toBe(429);
    const free = await nest(["unlock", "192.0.2.1"], { cwd: dir.path });
    expect([free.code, free.stdout]).toEqual([0, "192.0.2.1 is free again\n"]);
    expect(await status(url, OWNER, "192.0.2.1")).toBe(200);
    // Another address of the same network stands for it.
    expect((await nest(["unlock", "2001:db8::ffff"], { cwd: dir.path })).stdout).toBe(
      "2001:db8::/64 is free again\n",
    );
    expect(await nest(["unlock", "192.0.2.9"], { cwd: dir.path })).toMatchObject({
      code: 1,
      stderr: "nest unlock: 192.0.2.9 is not locked out\n",
    });
    expect(await nest(["unlock", "nonsense"], { cwd: dir.path })).toMatchObject({ code: 1 });
    expect((await nest(["unlock"], { cwd: dir.path })).code).toBe(2);
  });

  test("its socket is for its user alone; a second Nest leaves it alone; a dead one's is replaced; it goes with Nest", async () => {
    using dir = tempDir();
    const socket = join(dir.path, "sessions", "config.yaml.sock");
    {
      const { server } = await start(dir.path);
      await using _ = server;
      expect(statSync(socket).mode & 0o777).toBe(0o600);
      await using second = new NestProcess(["serve", "--demo"], {
        cwd: dir.path,
        env: bareEnv(dir.path),
      });
      // It is sent away before it gets at anything of the first one's.
      expect(await second.exited()).toBe(2);
      expect((await nest(["unlock", "192.0.2.1"], { cwd: dir.path })).stderr).toContain(
        "not locked out",
      );
      server.signal("SIGKILL");
      await server.exited();
    }
    expect(existsSync(socket)).toBe(true);
    expect((await nest(["unlock", "192.0.2.1"], { cwd: dir.path })).stderr).toContain("No Nest");
    {
      const { server } = await start(dir.path);
      await using _ = server;
      await until("it answers", async () =>
        (await nest(["unlock", "192.0.2.1"], { cwd: dir.path })).stderr.includes("not locked out"),
      );
    }
    expect(existsSync(socket)).toBe(false);
  });
});
