import { join } from "node:path";
import { expect, test } from "bun:test";
import { CutProxy } from "../../support/cut-proxy.ts";
import { testGateway } from "../../support/gateway.ts";
import { NestProcess } from "../../support/nest-process.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";
import { conversation, idle, openChat, say, toolCall } from "./chat-page.ts";

const LONG = `${"one two three four five six seven eight nine ten ".repeat(10)}`;

/** How often `part` stands in `text`. */
function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

withBrowser("a connection that breaks", (browser) => {
  test("cut in mid-stream, twice: the page comes back by itself, and no word is missing or doubled", async () => {
    await using nest = testGateway();
    await using proxy = await new CutProxy(nest.port).listen();
    await using tab = await openChat(browser(), { url: `http://127.0.0.1:${proxy.port}` });
    const { page } = tab;
    await say(page, `@say ${LONG}\n@repeat 8`);
    for (let i = 1; i <= 2; i++) {
      const before = (await conversation(page)).length;
      await until("words come", async () => (await conversation(page)).length > before + 100);
      proxy.cut();
    }
    await idle(page);
    const last = page.locator(".prose .markdown").last();
    expect((await last.textContent())?.trim()).toBe(Array(8).fill(LONG.trim()).join(" "));
  });

  test("the network is gone: it is said, with the time of the next try, and ends when it is back", async () => {
    await using nest = testGateway();
    await using proxy = await new CutProxy(nest.port).listen();
    await using tab = await openChat(browser(), { url: `http://127.0.0.1:${proxy.port}` });
    const { page } = tab;
    proxy.isGone = true;
    proxy.cut();
    await page.getByText(/Nest doesn't answer\. Reconnecting, \d+ s/).waitFor();
    await tab.shot("connection-away");
    // What is sent meanwhile waits, and goes out once.
    await page.getByLabel("Prompt").fill("@say Arrived.");
    await page.getByRole("button", { name: "Send", exact: true }).click();
    await page.getByText("waiting for the connection").waitFor();
    proxy.isGone = false;
    await page.getByRole("button", { name: "Try now" }).click();
    await page.getByText("Arrived.", { exact: true }).waitFor();
    await idle(page);
    expect(count(await conversation(page), "@say Arrived.")).toBe(1);
    expect(await page.getByText("waiting for the connection").count()).toBe(0);
  });

  test("a laptop sleeps in mid-stream and wakes to a dead connection: the conversation ends up right", async () => {
    await using nest = testGateway();
    await using proxy = await new CutProxy(nest.port).listen();
    await using tab = await openChat(browser(), { url: `http://127.0.0.1:${proxy.port}` });
    const { page } = tab;
    const devtools = await tab.context.newCDPSession(page);
    const flag = join(nest.dir, "go");
    const wait = toolCall("bash", { command: `while [ ! -e ${flag} ]; do sleep 0.05; done` });
    await say(page, `${wait}\n@say While you slept.`);
    await page.getByRole("button", { name: /Run while.*runs/ }).waitFor();
    await devtools.send("Page.setWebLifecycleState", { state: "frozen" });
    proxy.cut();
    await Bun.write(flag, "");
    await until("it was said", () =>
      fetch(`${nest.url}/api/status`, {
        headers: { Authorization: "Bearer nest_test-token-of-the-owner-0123456789abcdefghi" },
      }).then(async (response) => ((await response.json()) as { sockets: number }).sockets === 0),
    );
    await devtools.send("Page.setWebLifecycleState", { state: "active" });
    await page.getByText("While you slept.", { exact: true }).waitFor();
    await idle(page);
    expect(count(await conversation(page), "While you slept.")).toBe(2);
  });

  test("Nest is killed in mid-stream and started again: what was said is there once, and the turn can be run again", async () => {
    using dir = tempDir();
    const file = join(dir.path, "config.yaml");
    let nest = new NestProcess(["init", "--yes", "--config", file], { cwd: dir.path });
    await nest[Symbol.asyncDispose]();
    const serve = () => new NestProcess(["serve", "--demo", "--config", file], { cwd: dir.path });
    await Bun.write(
      file,
      `server:\n  port: 0\n  token: nest_test-token-of-the-owner-0123456789abcdefghi\n`,
    );
    nest = serve();
    try {
      const port = async () => Number(new URL(await nest.url()).port);
      await using proxy = await new CutProxy(await port()).listen();
      await using tab = await openChat(browser(), { url: `http://127.0.0.1:${proxy.port}` });
      const { page } = tab;
      await say(page, "@say Before the fall.");
      await page.getByText("Before the fall.", { exact: true }).waitFor();
      await idle(page);
      await say(page, toolCall("bash", { command: "echo in the middle; sleep 600" }));
      await page.getByLabel("Output").getByText("in the middle").waitFor();

      nest.signal("SIGKILL");
      await nest.exited();
      await page.getByText(/Reconnecting/).waitFor();
      nest = serve();
      proxy.target = await port();
      await page.getByText("This turn was cut off").waitFor();
      await page.getByText(/Reconnecting/).waitFor({ state: "detached" });
      const text = await conversation(page);
      expect(count(text, "@say Before the fall.")).toBe(1);
      expect(count(text, "Before the fall.")).toBe(2);
      await tab.shot("cut-off");
      await page.getByRole("button", { name: "Try again" }).click();
      await page.getByRole("button", { name: /Run echo in the middle.*runs/ }).waitFor();
      await page.getByRole("button", { name: "Stop", exact: true }).click();
      await idle(page);
    } finally {
      await nest[Symbol.asyncDispose]();
    }
  });

  test("without a server the shell still opens, at deep links too, and says what is the matter", async () => {
    const nest = testGateway();
    const tab = await openChat(browser(), nest);
    try {
      const { page } = tab;
      await until("the worker keeps the shell", () =>
        page.evaluate(async () => {
          const names = await caches.keys();
          return navigator.serviceWorker.controller !== null && names.length === 1;
        }),
      );
      await nest[Symbol.asyncDispose]();
      for (const path of ["/", "/v/a/b.md"]) {
        await page.goto(nest.url + path);
        await page
          .getByText(/Nest doesn't answer|Connecting/)
          .first()
          .waitFor({ state: "attached" });
      }
      // Nothing but its own shell is kept.
      const kept = await page.evaluate(async () => {
        const urls: string[] = [];
        for (const name of await caches.keys()) {
          for (const { url } of await (await caches.open(name)).keys()) urls.push(url);
        }
        return urls.map((url) => new URL(url).pathname);
      });
      expect(kept.length).toBeGreaterThan(2);
      expect(kept.filter((path) => path !== "/" && !path.startsWith("/assets/"))).toEqual([]);
    } finally {
      await tab[Symbol.asyncDispose]();
    }
  });
});
