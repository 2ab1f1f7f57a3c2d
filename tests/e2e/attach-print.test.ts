import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { attach } from "../support/attach-client.ts";
import { testGateway, TOKEN } from "../support/gateway.ts";
import { bareEnv, nest as run, NestProcess } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";

const env = (home: string, token = TOKEN) => bareEnv(home, { NEST_TOKEN: token });

describe("nest attach --print", () => {
  test("the answer goes to stdout, tools to stderr, exit 0", async () => {
    await using nest = testGateway();
    const message = '@tool bash {"command":"echo from-the-tool"}\n@say the answer';
    const { code, stdout, stderr } = await run(["attach", nest.url, "--print", message], {
      cwd: nest.dir,
      env: env(nest.dir),
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "Calling bash.\nthe answer\n" });
    expect(stderr).toContain("> bash echo from-the-tool\n");
    expect(stderr).toContain("scripted model");
    expect(`${stdout}${stderr}`).not.toContain(TOKEN);
  });

  test("the prompt may come from standard input, the token from a file", async () => {
    await using nest = testGateway();
    const file = join(nest.dir, "token");
    writeFileSync(file, `${TOKEN}\n`, { mode: 0o600 });
    const { code, stdout } = await run(["attach", nest.url, "--token-file", file, "--print", "-"], {
      cwd: nest.dir,
      env: bareEnv(nest.dir),
      input: "@say from a pipe",
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "from a pipe\n" });
  });

  test("--json gives every frame as a line, harmless on a terminal", async () => {
    await using nest = testGateway();
    const { code, stdout } = await run(
      ["attach", nest.url, "--json", "--print", "@say a\u001b]0;x\u0007\u009b\u202eb"],
      { cwd: nest.dir, env: env(nest.dir) },
    );
    expect(code).toBe(0);
    const frames = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(frames[0].type).toBe("auth_ok");
    expect(frames.at(-1).event.type).toBe("agent_settled");
    expect(JSON.stringify(frames)).toContain("\u202eb");
    // oxlint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]/);
  });

  test("what the answer would do to a terminal is taken out", async () => {
    await using nest = testGateway();
    const { stdout } = await run(["attach", nest.url, "--print", "@say \u001b]0;x\u0007a\tb"], {
      cwd: nest.dir,
      env: env(nest.dir),
    });
    // oxlint-disable-next-line no-control-regex
    expect(stdout).not.toMatch(/[\x1b\x07]/);
    expect(stdout).toContain("a\tb");
  });

  test("only its own prompt's answer, though the agent is busy with another's", async () => {
    await using nest = testGateway();
    await using other = await attach(nest.attachUrl, TOKEN);
    other.send({ type: "prompt", message: "@say busy\n@repeat 400" });
    await other.event("message_update");
    const { code, stdout } = await run(["attach", nest.url, "--print", "@say mine"], {
      cwd: nest.dir,
      env: env(nest.dir),
    });
    expect({ code, stdout }).toEqual({ code: 0, stdout: "mine\n" });
  });

  test.each([
    {
      name: "a wrong token",
      args: [],
      token: "nest_wrong",
      code: 5,
      words: "token is not accepted",
    },
    { name: "no such session", args: ["--session", "none"], code: 5, words: "no such session" },
    { name: "an empty prompt", args: ["--print", " "], code: 2, words: "empty" },
    {
      name: "a token with a newline in it",
      args: [],
      token: "a\nb",
      code: 2,
      words: "odd characters",
    },
    { name: "--wait that is none", args: ["--wait", "soon"], code: 2, words: "--wait" },
    { name: "an argument it does not know", args: ["--token", "x"], code: 2, words: "--token" },
  ])("$name: exit $code", async ({ args, token, code, words }) => {
    await using nest = testGateway();
    const result = await run(["attach", nest.url, "--print", "x", ...args], {
      cwd: nest.dir,
      env: env(nest.dir, token),
    });
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toContain(words);
  });

  test("locked out: exit 5, and says for how long", async () => {
    await using nest = testGateway({ config: { server: { rateLimit: { maxFailures: 1 } } } });
    await fetch(`${nest.url}/api/status`, { headers: { Authorization: "Bearer wrong" } });
    const { code, stderr } = await run(["attach", nest.url, "--print", "x"], {
      cwd: nest.dir,
      env: env(nest.dir),
    });
    expect(code).toBe(5);
    expect(stderr).toMatch(/Locked out for \d+ s/);
  });

  test("nobody there: exit 4 after --wait", async () => {
    using dir = tempDir();
    const { code, stderr } = await run(
      ["attach", "http://127.0.0.1:1", "--wait", "0.2", "--print", "x"],
      { cwd: dir.path, env: env(dir.path) },
    );
    expect({ code, stderr }).toEqual({ code: 4, stderr: "nest attach: no connection\n" });
  });

  test("stopped by another client: exit 3", async () => {
    await using nest = testGateway();
    await using other = await attach(nest.attachUrl, TOKEN);
    const running = run(["attach", nest.url, "--print", "@say word\n@repeat 3000"], {
      cwd: nest.dir,
      env: env(nest.dir),
    });
    await other.event("message_update");
    other.send({ type: "abort" });
    expect((await running).code).toBe(3);
  });

  test("the agent dies in the middle: exit 1", async () => {
    await using nest = testGateway();
    const running = run(
      ["attach", nest.url, "--print", '@tool bash {"command":"kill -9 $PPID"}\n@say never'],
      { cwd: nest.dir, env: env(nest.dir) },
    );
    expect(await running).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("stopped in the middle"),
    });
  });

  test("Nest restarts in the middle: it is told that the run was cut off, exit 1, and the prompt is not run twice", async () => {
    using dir = tempDir();
    const config = (port: number) =>
      writeFileSync(join(dir.path, "config.yaml"), `server: { port: ${port}, token: ${TOKEN} }\n`);
    config(0);
    const first = new NestProcess(["serve", "--demo"], { cwd: dir.path });
    const url = await first.url();
    config(Number(new URL(url).port));
    const running = run(["attach", url, "--print", '@tool bash {"command": "sleep 60"}'], {
      cwd: dir.path,
      env: env(dir.path),
    });
    await using witness = await attach(`${url.replace("http", "ws")}/attach`, TOKEN);
    await witness.event("tool_execution_start");
    await first[Symbol.asyncDispose]();
    await using second = new NestProcess(["serve", "--demo"], { cwd: dir.path });
    await second.url();
    const { code, stderr } = await running;
    expect([code, stderr]).toEqual([1, expect.stringContaining("the agent stopped in the middle")]);
    await using later = await attach(`${url.replace("http", "ws")}/attach`, TOKEN);
    expect(await later.ofType("attached")).toMatchObject({
      state: "idle",
      interrupted: [expect.objectContaining({ message: expect.stringContaining("sleep 60") })],
    });
  });
});
