import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "bun:test";
import { attach } from "../support/attach-client.ts";
import { testGateway, TOKEN } from "../support/gateway.ts";
import { bareEnv, NestProcess } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";
import { HAS_TMUX, TmuxPane } from "../support/tmux.ts";
import { until } from "../support/until.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const home = tempDir();
afterAll(() => home[Symbol.dispose]());

function terminal(
  url: string,
  {
    width = 80,
    height = 24,
    args = [] as string[],
    env = { NEST_TOKEN: TOKEN } as Record<string, string>,
    staysAfter = false,
  } = {},
): TmuxPane {
  const argv = [process.execPath, "--no-env-file", "--config=/dev/null", MAIN, "attach", url];
  const shell = ["sh", "-c", '"$@"; echo "ended $?"; exec sleep 60', "sh"];
  return new TmuxPane([...(staysAfter ? shell : []), ...argv, ...args], {
    width,
    height,
    cwd: home.path,
    env: bareEnv(home.path, env),
  });
}

const prompt = (pane: TmuxPane, text: string) => {
  const [first = "", ...rest] = text.split("\n");
  pane.type(first);
  for (const line of rest) {
    pane.press("C-j");
    pane.type(line);
  }
  pane.press("Enter");
};

/** The prompt's own lines hold the words, too. */
const answer = (words: string) => new RegExp(`^ +${words}`, "m");

if (!HAS_TMUX) console.warn("skipped: the terminal tests need tmux (apt-get install tmux)");

describe.skipIf(!HAS_TMUX)("nest attach on a terminal", () => {
  test.each([
    { width: 80, height: 24 },
    { width: 200, height: 50 },
  ])(
    "at $width×$height: first steps, a tour with a tool, a last line that says where one is",
    async ({ width, height }) => {
      await using nest = testGateway();
      await using pane = terminal(nest.url, { width, height });
      const empty = await pane.shows("Nothing has been said here yet", "What is in my vault?");
      expect(empty.split("\n").at(height - 1)).toMatch(/^ default · scripted model/);
      prompt(pane, "hello nest");
      const screen = await pane.shows(
        "▌ hello nest",
        /✓ bash ls/,
        "You said: hello nest",
        "tokens",
      );
      const lines = screen.split("\n");
      expect(lines.length).toBeLessThanOrEqual(height + 1);
      // The column of text is never wider than can be read.
      for (const line of lines.slice(0, height - 4)) expect(line.length).toBeLessThanOrEqual(100);
      expect(lines.at(height - 1)).toMatch(/^ default · scripted model · [\d.k]+ of 128k tokens$/);
    },
  );

  test("a resize in mid-stream lays out anew and loses nothing", async () => {
    await using nest = testGateway();
    await using pane = terminal(nest.url);
    await pane.shows("Nothing has been said");
    prompt(pane, "@say wording\n@repeat 300");
    await pane.shows(answer("wording wording"), "Esc stops");
    pane.resize(200, 50);
    await pane.shows(answer("(?:wording ){11}"));
    pane.resize(60, 20);
    const screen = await until("it is done", () =>
      pane.screen.includes("Esc stops") ? undefined : pane.screen,
    );
    expect(screen.split("\n").at(19)).toMatch(/^ default · scripted/);
    for (const line of screen.split("\n")) expect(line.length).toBeLessThanOrEqual(60);
    pane.resize(200, 50);
    await until("every word is there", () => {
      const lines = pane.screen.match(/^ +wording.*$/gm) ?? [];
      return lines.join(" ").match(/wording/g)?.length === 300;
    });
  });

  test("a restart of Nest in mid-stream: says so, comes back, keeps the draft", async () => {
    using dir = tempDir();
    const config = (port: number) =>
      writeFileSync(join(dir.path, "config.yaml"), `server: { port: ${port}, token: ${TOKEN} }\n`);
    config(0);
    const first = new NestProcess(["serve", "--demo"], { cwd: dir.path });
    const url = await first.url();
    config(Number(new URL(url).port));
    await using pane = terminal(url);
    await pane.shows("Nothing has been said");
    prompt(pane, "@say before");
    await pane.shows(answer("before"));
    prompt(pane, "@say wording\n@repeat 2000");
    await pane.shows("Esc stops", answer("wording wording"));
    pane.type("my draft");
    await first[Symbol.asyncDispose]();
    const away = await pane.shows(/Reconnecting, \d+ s$/m, "my draft");
    expect(away).not.toContain("Esc stops");
    await using second = new NestProcess(["serve", "--demo"], { cwd: dir.path });
    await second.url();
    const back = await until("it is back", () =>
      /Reconnecting|Connecting|restarting/.test(pane.screen) ? undefined : pane.screen,
    );
    expect(back).toContain("my draft");
    await pane.shows(answer("before"), "▌ @repeat 2000");
    pane.press("C-c");
    prompt(pane, "@say after");
    await pane.shows(answer("after"));
  });

  test("two terminals and another client in one session see the same", async () => {
    await using nest = testGateway();
    await using one = terminal(nest.url);
    await using two = terminal(nest.url, { width: 120, height: 40 });
    await using other = await attach(nest.attachUrl, TOKEN);
    await one.shows("Nothing has been said");
    await two.shows("Nothing has been said");
    prompt(one, "@say from the first");
    await one.shows("▌ @say from the first", answer("from the first"));
    await two.shows("▌ @say from the first", answer("from the first"));
    await other.event("agent_settled");
    other.send({ type: "prompt", message: "@say from elsewhere" });
    await one.shows(answer("from elsewhere"));
    await two.shows(answer("from elsewhere"));
  });

  test("dialogs: the first answer wins, and stays in the conversation", async () => {
    await using nest = testGateway({
      config: { agent: { args: ["-e", join(import.meta.dir, "../support/dialog-extension.ts")] } },
    });
    await using one = terminal(nest.url);
    await using two = terminal(nest.url);
    await one.shows("Nothing has been said");
    await two.shows("Nothing has been said");
    prompt(one, "/ask");
    await one.shows("Pick", "→ red", "blue", "Enter chooses");
    await two.shows("→ red");
    two.press("Down");
    await two.shows("→ blue");
    two.press("Enter");
    await two.shows("Pick — blue", "picked blue");
    const screen = await one.shows("Pick — blue", "picked blue");
    expect(screen).not.toContain("Enter chooses");
  });

  test("Esc stops the agent and drops what was queued", async () => {
    await using nest = testGateway();
    await using pane = terminal(nest.url);
    await pane.shows("Nothing has been said");
    prompt(pane, "@say wording\n@repeat 3000");
    await pane.shows(answer("wording wording"));
    pane.type("later");
    pane.press("M-Enter");
    await pane.shows("Queued: later");
    pane.press("Escape");
    const screen = await pane.shows(/^ +Stopped/m);
    expect(screen).not.toContain("Queued");
  });

  test("what the agent and its tools write does nothing to the terminal", async () => {
    await using nest = testGateway();
    await using pane = terminal(nest.url);
    await pane.shows("Nothing has been said");
    const title = pane.format("#{pane_title}");
    const tricks =
      "\x1b]0;OWNED\x07\x1b]52;c;T1dORUQ=\x07\x1b]8;;http://evil.test\x07\x1b[2J\x1b[H";
    const command = String.raw`printf '\033]0;OWNED\007\033]52;c;T1dORUQ=\007\033]8;;http://e.test\007name\033]8;;\007\033[2J\033[Hover\n'; exit 1`;
    await using other = await attach(nest.attachUrl, TOKEN);
    other.send({
      type: "prompt",
      message: `@tool bash ${JSON.stringify({ command })}\n@say ${tricks}quiet${tricks} [here](http://evil.test)`,
    });
    await pane.shows(answer("quiet here"));
    pane.press("C-o");
    await pane.shows("nameover", "▌ @say quiet");
    expect(pane.format("#{pane_title}")).toBe(title);
    expect(pane.run("list-buffers")).toBe("");
    // oxlint-disable-next-line no-control-regex
    expect(pane.run("capture-pane", "-p", "-e")).not.toMatch(/\x1b\]/);
  });

  test("fifty thousand lines of output: keys are still answered, and memory is bounded", async () => {
    await using nest = testGateway();
    await using pane = terminal(nest.url);
    await pane.shows("Nothing has been said");
    const rss = () =>
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pane.pid}/status`, "utf8"))?.[1]) / 1024;
    const beforeMib = rss();
    const command = "for i in $(seq 1 50); do seq 1 1000; sleep 0.02; done";
    prompt(pane, `@tool bash ${JSON.stringify({ command })}\n@say counted`);
    await pane.shows("Esc stops");
    pane.type("typed meanwhile");
    await pane.shows("typed meanwhile");
    await pane.shows(answer("counted"));
    expect(rss() - beforeMib).toBeLessThan(200);
  });

  test("the token is asked for without echo, and is nowhere to be seen", async () => {
    await using nest = testGateway();
    await using pane = terminal(nest.url, { env: {} });
    await pane.shows("Token:");
    pane.type(TOKEN);
    expect(pane.screen).not.toContain("nest_");
    pane.press("Enter");
    const screen = await pane.shows("Nothing has been said");
    expect(screen).not.toContain("nest_");
    expect(readFileSync(`/proc/${pane.pid}/cmdline`, "utf8")).not.toContain(TOKEN);
    pane.press("C-d");
    expect(await pane.ended()).toBe(0);
  });

  test("a wrong token ends it with words and 5, after two tries at most", async () => {
    await using nest = testGateway();
    await using pane = terminal(nest.url, { env: { NEST_TOKEN: "nest_wrong" }, staysAfter: true });
    await pane.shows("nest attach: The token is not accepted", "ended 5");
    expect(nest.logged("auth_failed").length).toBeLessThanOrEqual(2);
  });

  // An orphan would spin on a terminal that is gone.
  test.each([
    { name: "the tmux server is told to end", signal: undefined },
    { name: "the tmux server is killed", signal: "SIGKILL" },
  ] as const)("ends with its terminal: $name", async ({ signal }) => {
    await using nest = testGateway();
    await using pane = terminal(nest.url);
    await pane.shows("Nothing has been said");
    const { pid } = pane;
    if (signal === undefined) pane.run("kill-server");
    else process.kill(Number(pane.format("#{pid}")), signal);
    await until("the program is gone", () => !isRunning(pid));
  });

  test("ends when the shell that started it is killed", async () => {
    await using nest = testGateway();
    await using pane = terminal(nest.url, { staysAfter: true });
    await pane.shows("Nothing has been said");
    const shell = pane.pid;
    const children = readFileSync(`/proc/${shell}/task/${shell}/children`, "utf8").trim();
    const pid = Number(children);
    expect(isRunning(pid)).toBe(true);
    try {
      process.kill(shell, "SIGKILL");
      await until("the program is gone", () => !isRunning(pid));
    } finally {
      if (isRunning(pid)) process.kill(pid, "SIGKILL");
    }
  });
});

function isRunning(pid: number): boolean {
  try {
    // A zombie that waits for its parent does nothing more.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
