import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { attach } from "../support/attach-client.ts";
import { bareEnv, nest, NestProcess, processesWith } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const OWNER = "nest_of-the-owner-0123456789abcdefghijklmnopq";
const PHONE = "nest_of-the-phone-0123456789abcdefghijklmnopq";

const config = (server: string) => `server:\n  port: 0\n${server}`;
const authorized = (token: string) => ({ headers: { Authorization: `Bearer ${token}` } });

/** A port that is free now, for a first start, which always takes the default. */
const isDefaultPortFree = await fetch("http://127.0.0.1:8484/health").then(
  () => false,
  () => true,
);

describe("nest serve", () => {
  test.skipIf(!isDefaultPortFree)(
    "a first start makes config and vault, prints the token once, and a prompt is answered by the script where pi has no key",
    async () => {
      using dir = tempDir();
      await using server = new NestProcess([], { cwd: dir.path });
      const url = await server.url();
      const written = readFileSync(join(dir.path, "config.yaml"), "utf8");
      expect(statSync(join(dir.path, "config.yaml")).mode & 0o777).toBe(0o600);
      expect(server.stdout.split(server.token).length).toBe(2);
      expect(written).not.toContain(server.token);
      expect(server.stderr).not.toContain(server.token);
      expect(existsSync(join(dir.path, "vault", "Welcome.md"))).toBe(true);
      expect((await nest(["health"], { cwd: dir.path })).stdout).toBe("ok\n");

      await using client = await attach(`${url.replace("http", "ws")}/attach`, server.token);
      expect(await client.ofType("attached")).toMatchObject({ scripted: true });
      client.send({ id: 1, type: "prompt", message: "Hello" });
      await client.event("agent_settled");
      expect(client.text).toContain("scripted model");
      expect(server.logged("scripted_model")[0]).toMatchObject({
        fix: expect.stringContaining("ANTHROPIC_API_KEY"),
      });
    },
  );

  test("a first start that cannot listen has shown the token all the same, and the next one goes on with it", async () => {
    using dir = tempDir();
    using _ = isDefaultPortFree
      ? Bun.serve({ port: 8484, hostname: "127.0.0.1", fetch: () => new Response() })
      : undefined;
    const { code, stdout, stderr } = await nest([], { cwd: dir.path });
    expect([code, stderr.includes("the port is in use")]).toEqual([2, true]);
    const token = /^ *token +(\S+)$/m.exec(stdout)?.[1] ?? "";
    const hash = new Bun.CryptoHasher("sha256").update(token).digest("hex");
    expect(readFileSync(join(dir.path, "config.yaml"), "utf8")).toContain(hash);
  });

  // Whoever may read the vault would read the tokens, and who may write to it would write `agent.command`.
  test.each([
    { name: "the config's own folder", vault: ".", audit: "" },
    { name: "a folder above it", vault: "..", audit: "" },
    { name: "a link to it", vault: "./link", audit: "" },
    { name: "the folder with Nest's state", vault: "./sessions", audit: "" },
    { name: "one in there", vault: "./sessions/work", audit: "" },
    { name: "one that holds the security log", vault: "./vault", audit: "./vault/audit.log" },
  ])("refuses a vault in which Nest's own files lie: $name", async ({ vault, audit }) => {
    using dir = tempDir();
    const home = join(dir.path, "home");
    mkdirSync(home);
    symlinkSync(".", join(home, "link"));
    writeFileSync(
      join(home, "config.yaml"),
      config(`  token: ${OWNER}\nvault: { path: ${vault} }\n`) +
        (audit && `log: { audit: ${audit} }\n`),
    );
    await using server = new NestProcess(["--demo"], { cwd: home });
    const ended = () => server.exited();
    expect(await server.url().then(() => "listens", ended)).toBe(2);
    expect(server.stdout).toBe("");
    expect(server.stderr).toContain("Set vault.path to a folder of its own");
    expect(server.stderr.trim().split("\n")).toHaveLength(1);
  });

  // On a reload it would have frozen a gateway that runs.
  test.each([
    { name: "a pipe that nobody writes to", secret: "./pipe", expected: "not a regular file" },
    { name: "a device without an end", secret: "/dev/zero", expected: "not a regular file" },
    { name: "a file of a megabyte", secret: "./large", expected: "more than 64 KiB" },
  ])("a secret's file is read only if it is one: $name", async ({ secret, expected }) => {
    using dir = tempDir();
    expect(Bun.spawnSync(["mkfifo", join(dir.path, "pipe")]).exitCode).toBe(0);
    writeFileSync(join(dir.path, "large"), "x".repeat(2 ** 20));
    writeFileSync(join(dir.path, "config.yaml"), config(`  token: file:${secret}\n`));
    await using server = new NestProcess(["--demo"], { cwd: dir.path });
    const limit = setTimeout(() => server.signal("SIGKILL"), 20_000);
    expect([await server.exited(), server.stderr]).toEqual([2, expect.stringContaining(expected)]);
    clearTimeout(limit);
  });

  test("docs/examples/prompt.ts prints the answer of --demo", async () => {
    using dir = tempDir();
    writeFileSync(join(dir.path, "config.yaml"), config(`  token: ${OWNER}\n`));
    await using server = new NestProcess(["--demo"], { cwd: dir.path });
    const url = `${(await server.url()).replace("http", "ws")}/attach`;
    const example = join(import.meta.dir, "..", "..", "docs", "examples", "prompt.ts");
    const run = async (token: string) => {
      const child = Bun.spawn([process.execPath, example, "Hello", url], {
        env: bareEnv(dir.path, { NEST_TOKEN: token }),
        stdout: "pipe",
        stderr: "pipe",
      });
      return {
        out: await child.stdout.text(),
        err: await child.stderr.text(),
        code: await child.exited,
      };
    };
    const answered = await run(OWNER);
    expect(answered.code).toBe(0);
    expect(answered.out).toContain('> bash {"command":"ls"}');
    expect(answered.out).toContain("You said: Hello");
    expect(await run("nest_wrong")).toMatchObject({
      code: 1,
      err: expect.stringContaining("unauthorized"),
    });
  });

  test("SIGTERM: sockets close with 1001, exit 0 within 10 s, no child left, not even a tool that ignores signals", async () => {
    using dir = tempDir();
    writeFileSync(join(dir.path, "config.yaml"), config(`  token: ${OWNER}\n`));
    await using server = new NestProcess(["--demo"], { cwd: dir.path });
    const client = await attach(`${(await server.url()).replace("http", "ws")}/attach`, OWNER);
    const mark = `33${process.pid}.25`;
    const command = `trap '' TERM INT HUP; sleep ${mark}; sleep ${mark}`;
    client.send({ id: 1, type: "prompt", message: `@tool bash ${JSON.stringify({ command })}` });
    await until("the tool runs", async () => (await processesWith(`sleep\0${mark}`)).length > 0);
    const agent = server.logged("agent_ready")[0]?.["pid"] as number;
    const startedMs = performance.now();
    server.signal("SIGTERM");
    expect((await client.closed()).code).toBe(1001);
    expect(await server.exited()).toBe(0);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(await processesWith(mark)).toEqual([]);
    expect(existsSync(`/proc/${agent}`)).toBe(false);
    // Three seconds for the run to end by itself, four for the tool.
  }, 30_000);

  test("SIGKILL of Nest leaves no agent behind: its end of input ends it", async () => {
    using dir = tempDir();
    writeFileSync(join(dir.path, "config.yaml"), config(`  token: ${OWNER}\n`));
    await using server = new NestProcess(["--demo"], { cwd: dir.path });
    const client = await attach(`${(await server.url()).replace("http", "ws")}/attach`, OWNER);
    const agent = server.logged("agent_ready")[0]?.["pid"] as number;
    server.signal("SIGKILL");
    await client.closed();
    await until("the agent has gone", () => !existsSync(`/proc/${agent}`));
  });

  test("SIGHUP: tokens change without dropping good sockets; a bad file is refused as a whole and the old settings stay", async () => {
    using dir = tempDir();
    const file = join(dir.path, "config.yaml");
    const phone = `  tokens: [{ name: phone, token: ${PHONE}, scopes: [attach] }]\n`;
    writeFileSync(file, config(`  token: ${OWNER}\n${phone}`));
    await using server = new NestProcess(["--demo"], { cwd: dir.path });
    const url = await server.url();
    const attachUrl = `${url.replace("http", "ws")}/attach`;
    await using owner = await attach(attachUrl, OWNER);
    await using lost = await attach(attachUrl, PHONE);

    writeFileSync(
      file,
      config(`  token: ${OWNER}\n  tokens: []\n  hosts: [new.example.org]\n  prot: 1\n`),
    );
    server.signal("SIGHUP");
    await until("the refusal is logged", () => server.logged("config_refused").length === 1);
    expect(server.logged("config_refused")[0]).toMatchObject({
      reason: expect.stringContaining("config.yaml:6:3: server.prot"),
    });
    expect((await fetch(`${url}/api/status`, authorized(PHONE))).status).toBe(200);
    expect((await fetch(url, { headers: { Host: "new.example.org" } })).status).toBe(421);

    writeFileSync(file, config(`  token: ${OWNER}\n  tokens: []\n  hosts: [new.example.org]\n`));
    server.signal("SIGHUP");
    expect((await lost.closed()).code).toBe(4003);
    await until("the reload is logged", () => server.logged("config_reloaded").length === 1);
    expect(server.logged("token_rotated")).toMatchObject([{ token: "phone" }]);
    expect((await fetch(`${url}/api/status`, authorized(PHONE))).status).toBe(401);
    expect((await fetch(`${url}/api/status`, authorized(OWNER))).status).toBe(200);
    expect((await fetch(url, { headers: { Host: "new.example.org" } })).status).toBe(200);
    owner.send({ id: 1, type: "get_state" });
    expect(await owner.reply(1)).toMatchObject({ success: true });
  });

  test("a .env in the current folder changes nothing, and with the flags of the start script nor does a bunfig.toml", async () => {
    using dir = tempDir();
    writeFileSync(join(dir.path, "config.yaml"), config("  token: env:NEST_TOKEN_FROM_ENV\n"));
    writeFileSync(join(dir.path, ".env"), `NEST_TOKEN_FROM_ENV=${PHONE}\nNODE_ENV=development\n`);
    const unset = await nest(["serve"], { cwd: dir.path });
    expect([unset.code, unset.stderr.includes("NEST_TOKEN_FROM_ENV")]).toEqual([2, true]);

    writeFileSync(join(dir.path, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(join(dir.path, "evil.ts"), 'await Bun.write("pwned", "x");\n');
    await using server = new NestProcess(["--demo"], {
      cwd: dir.path,
      env: bareEnv(dir.path, { NEST_TOKEN_FROM_ENV: OWNER }),
      runtime: ["--no-env-file", "--config=/dev/null"],
    });
    const url = await server.url();
    expect((await fetch(`${url}/api/status`, authorized(OWNER))).status).toBe(200);
    expect((await fetch(`${url}/api/status`, authorized(PHONE))).status).toBe(401);
    expect(existsSync(join(dir.path, "pwned"))).toBe(false);
  });

  test("logs are JSON lines off a terminal and text on request; no token is in them", async () => {
    using dir = tempDir();
    writeFileSync(
      join(dir.path, "config.yaml"),
      `${config(`  token: ${OWNER}\n`)}log: { format: text }\n`,
    );
    await using server = new NestProcess(["--demo"], { cwd: dir.path });
    const url = await server.url();
    for (let i = 0; i < 11; i++) await fetch(`${url}/api/status?token=${OWNER}`, authorized(PHONE));
    const failed =
      /^\S+Z warn auth_failed address=127\.0\.0\.1 route="GET \/api\/status" reason=wrong_credentials request=\S+$/gm;
    await until("ten failures are logged", () => server.stderr.match(failed)?.length === 10);
    expect(server.stderr).toMatch(
      / warn lockout_start address=127\.0\.0\.1 route="GET \/api\/status" reason="10 failed authentications" seconds=60 request=\S+\n/,
    );
    expect(server.stderr).not.toContain(OWNER);
    expect(server.stderr).not.toContain(PHONE);
  });
});

describe("nest health", () => {
  test("exit 1 where nobody or somebody else answers, 2 for what is no URL", async () => {
    using dir = tempDir();
    using other = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => Response.json({ status: "fine" }),
    });
    expect((await nest(["health", `http://127.0.0.1:${other.port}`], { cwd: dir.path })).code).toBe(
      1,
    );
    expect((await nest(["health", "http://127.0.0.1:1"], { cwd: dir.path })).code).toBe(1);
    expect((await nest(["health", "nonsense"], { cwd: dir.path })).code).toBe(2);
  });
});

/* The process that is asked for models belonged to nobody: a Nest that was stopped at once left it behind. */
test("SIGTERM while pi is still being asked for its models leaves no process behind", async () => {
  using dir = tempDir();
  const odd = join(import.meta.dir, "..", "support", "odd-pi.ts");
  const command = JSON.stringify([process.execPath, odd, "--slow", dir.path]);
  writeFileSync(
    join(dir.path, "config.yaml"),
    `${config(`  token: ${OWNER}\n`)}agent: { command: ${command} }\n`,
  );
  await using server = new NestProcess([], { cwd: dir.path });
  await server.url();
  await until("pi is asked", async () => (await processesWith(`--slow\0${dir.path}`)).length === 1);
  server.signal("SIGTERM");
  expect(await server.exited()).toBe(0);
  expect(await processesWith(`--slow\0${dir.path}`)).toEqual([]);
});
