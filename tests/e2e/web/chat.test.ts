import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { testGateway } from "../../support/gateway.ts";
import { writeLongSession } from "../../support/long-session.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";
import { conversation, idle, openChat, say, toolCall } from "./chat-page.ts";

const QUESTIONS = join(import.meta.dir, "..", "..", "support", "question-extension.ts");

withBrowser("the conversation", (browser) => {
  test("a prompt is answered in formatted words that stream, and its tool's line opens to its output", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await say(
      page,
      `${toolCall("bash", { command: "echo from the tool" })}\n@say **Bold** words and \`code\`.`,
    );
    await page.locator(".prose strong", { hasText: "Bold" }).waitFor();
    await idle(page);
    const line = page.getByRole("button", { name: /Run echo from the tool/ });
    expect(await line.getAttribute("aria-expanded")).toBe("false");
    await line.click();
    expect(await page.getByLabel("Output").innerText()).toBe("from the tool");
    await line.click();
    // Read anew it is the same.
    const before = await conversation(page);
    await page.reload();
    await page.getByText("Scripted answers").waitFor();
    await page.locator(".prose strong").waitFor({ state: "attached" });
    expect(await conversation(page)).toBe(before);
    expect(tab.errors.filter((text) => !text.includes("404"))).toEqual([]);
  });

  test("bash shows its output while it runs; an edit shows what it changes; a failure says so and is open", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    const flag = join(nest.dir, "go");
    await say(
      page,
      [
        toolCall("bash", {
          command: `echo first words; while [ ! -e ${flag} ]; do sleep 0.05; done; echo last words`,
        }),
        toolCall("write", { path: "a.md", content: "one\ntwo\nthree\n" }),
        toolCall("edit", { path: "a.md", edits: [{ oldText: "two", newText: "2" }] }),
        toolCall("read", { path: "missing.md" }),
        "@say Finished.",
      ].join("\n"),
    );
    await page.getByLabel("Output").getByText("first words").waitFor();
    expect(await page.getByLabel("Output").innerText()).not.toContain("last words");
    await Bun.write(flag, "");
    await page.getByText("Finished.", { exact: true }).waitFor();
    await page.getByRole("button", { name: /^Edit a\.md/ }).click();
    const removed = page.locator('.diff-line[data-kind="removed"]');
    const added = page.locator('.diff-line[data-kind="added"]');
    expect(await removed.innerText()).toContain("two");
    expect(await added.innerText()).toContain("2");
    const failed = page.getByRole("button", { name: /Read missing\.md failed/ });
    expect(await failed.getAttribute("aria-expanded")).toBe("true");
    await tab.shot("chat-tools");
  });

  test("thinking is one line that opens", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await say(page, "@think Secret **reasons** for this.\n@say Said.");
    await page.getByText("Said.", { exact: true }).waitFor();
    const thought = page.locator("details.thinking");
    expect(await thought.locator("strong").count()).toBe(0);
    await thought.locator("summary").click();
    await thought.locator("strong", { hasText: "reasons" }).waitFor();
  });

  test("while it works: what is queued waits and can be taken back, steering goes in between, stop stops", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    const flag = join(nest.dir, "go");
    const wait = toolCall("bash", { command: `while [ ! -e ${flag} ]; do sleep 0.05; done` });
    await say(page, `${wait}\n@say First done.`);
    await page.getByRole("button", { name: "Queue", exact: true }).waitFor();
    await say(page, "@say Second done.", "Queue");
    const waiting = page.getByRole("region", { name: "Waiting" });
    await waiting.getByText("@say Second done.").waitFor();
    await waiting.getByRole("button", { name: "Take back" }).click();
    await until(
      "the words are back",
      async () => (await page.getByLabel("Prompt").inputValue()) === "@say Second done.",
    );
    await waiting.waitFor({ state: "detached" });
    await page.getByText("Now", { exact: true }).click();
    await say(page, "@say Steered.", "Steer");
    await waiting.getByText("@say Steered.").waitFor();
    await Bun.write(flag, "");
    await page.getByText("Steered.", { exact: true }).waitFor();
    await idle(page);

    await say(page, toolCall("bash", { command: "sleep 600" }));
    await page.getByRole("button", { name: /Run sleep 600.*runs/ }).waitFor();
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await idle(page);
    await page.getByRole("button", { name: /Run sleep 600.*stopped/ }).waitFor();
    // Escape does it too.
    await say(page, toolCall("bash", { command: "sleep 601" }));
    await page.getByRole("button", { name: /Run sleep 601.*runs/ }).waitFor();
    await page.keyboard.press("Escape");
    await idle(page);
  });

  test("questions of extensions stand where they were asked, are answered there, and keep their answers", async () => {
    await using nest = testGateway({ config: { agent: { args: ["-e", QUESTIONS] } } });
    await using tab = await openChat(browser(), nest);
    await using other = await openChat(browser(), nest);
    const { page } = tab;
    await say(page, "/questions");
    const question = (name: string) => page.getByRole("region", { name });
    await question("Delete draft.md?").getByRole("button", { name: "Yes" }).click();
    // The other browser sees the answer, and answers the next.
    await other.page.getByRole("region", { name: "Delete draft.md?" }).getByText("Yes").waitFor();
    await other.page.getByRole("button", { name: "<img src=x" }).click();
    await question("Pick a colour").getByText("Answered: <img").waitFor();
    await question("Your name?").getByRole("textbox").fill("Ada");
    await tab.shot("chat-question");
    await question("Your name?").getByRole("button", { name: "Answer" }).click();
    await question("Mend this").getByRole("textbox").fill("mended");
    await question("Mend this").getByRole("button", { name: "Answer" }).click();
    await page.getByText('told: [true,"<img src=x onerror=alert(1)>","Ada","mended"]').waitFor();
  });

  test("files go into the inbox under free names and are named in the prompt; pictures reach the model", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    const pick = (name: string, text: string) =>
      page.locator('.chat-pane input[type="file"]').setInputFiles({
        name,
        mimeType: "text/plain",
        buffer: Buffer.from(text),
      });
    await pick("notes.txt", "one");
    await page.getByRole("button", { name: "Remove notes.txt" }).waitFor();
    await until("the file is there", () => existsSync(join(nest.dir, "vault/inbox/notes.txt")));
    await pick("notes.txt", "two");
    await until("the second has a name of its own", () =>
      existsSync(join(nest.dir, "vault/inbox/notes-2.txt")),
    );
    expect(readFileSync(join(nest.dir, "vault/inbox/notes.txt"), "utf8")).toBe("one");
    await pick("../../.evil,name\u202e.txt", "three");
    await until("a name of ours", () => existsSync(join(nest.dir, "vault/inbox/evilname.txt")));
    await tab.shot("chat-attachments");
    await say(page, "@say Seen.");
    await page.getByText("Seen.", { exact: true }).waitFor();
    const chips = await page.locator(".said .chip").allInnerTexts();
    expect(chips.map((text) => text.trim())).toEqual(["notes.txt", "notes-2.txt", "evilname.txt"]);
  });

  test("a paste with a picture becomes an attachment", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    await tab.page.evaluate(() => {
      const data = new DataTransfer();
      data.items.add(
        new File([new Uint8Array([137, 80, 78, 71])], "image.png", { type: "image/png" }),
      );
      document
        .querySelector("#composer")
        ?.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true }));
    });
    await tab.page.getByRole("button", { name: /Remove pasted-.*\.png/ }).waitFor();
  });

  test("a draft survives a reload, and the last prompt comes back with the arrow", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByLabel("Prompt").fill("half a thought\nin two lines");
    await page.reload();
    await page.getByText("Scripted answers").waitFor();
    expect(await page.getByLabel("Prompt").inputValue()).toBe("half a thought\nin two lines");
    await say(page, "@say Yes.");
    await page.getByText("Yes.", { exact: true }).waitFor();
    expect(await page.getByLabel("Prompt").inputValue()).toBe("");
    await page.getByLabel("Prompt").press("ArrowUp");
    expect(await page.getByLabel("Prompt").inputValue()).toBe("@say Yes.");
  });

  test("sessions are apart, each with its address, its words and its draft; a conversation can be named", async () => {
    await using nest = testGateway({ config: { sessions: { default: {}, second: {} } } });
    await using tab = await openChat(browser(), nest, undefined, "/s/second");
    const { page } = tab;
    await say(page, "@say In the second.");
    await page.getByText("In the second.", { exact: true }).waitFor();
    await page.getByRole("button", { name: "Rename this conversation" }).click();
    await page.getByLabel("What this conversation is about").fill("Spring cleaning");
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Spring cleaning" }).waitFor();
    await page.getByLabel("Prompt").fill("draft of the second");
    await page.getByRole("link", { name: "default", exact: true }).click();
    await page.getByText("What shall we do?").waitFor();
    expect(page.url()).toBe(`${nest.url}/`);
    expect(await page.getByLabel("Prompt").inputValue()).toBe("");
    await page.goBack();
    await page.getByText("In the second.", { exact: true }).waitFor();
    expect(await page.getByLabel("Prompt").inputValue()).toBe("draft of the second");
  });

  test("a session is made, talked in and ended, and its words are there when it is made again", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    const make = async () => {
      await page.getByRole("button", { name: "New session" }).click();
      await page.getByLabel("Name of the new session").fill("Garden Plans");
      await page.keyboard.press("Enter");
      await until("it is shown", () => page.url() === `${nest.url}/s/garden-plans`);
    };
    await make();
    await page.getByText("What shall we do?").waitFor();
    await say(page, "@say In the garden.");
    await page.getByText("In the garden.", { exact: true }).waitFor();
    await idle(page);
    await page.getByRole("link", { name: "default", exact: true }).click();
    await page.getByText("What shall we do?").waitFor();
    await page.getByRole("link", { name: /garden-plans/ }).hover();
    await page.getByRole("button", { name: "End garden-plans" }).click();
    await page.getByRole("link", { name: /garden-plans/ }).waitFor({ state: "detached" });
    await make();
    await page.getByText("In the garden.", { exact: true }).waitFor();
  });

  test("a session that is not there is said, with a way out", async () => {
    await using nest = testGateway();
    await using tab = await browser().page();
    await tab.page.goto(`${nest.url}/s/nowhere`);
    await tab.signIn("nest_test-token-of-the-owner-0123456789abcdefghi");
    await tab.page.getByText("There is no session of this name").waitFor();
    await tab.page.getByRole("button", { name: "Go to default" }).click();
    await tab.page.getByText("What shall we do?").waitFor();
  });

  test("the reader who has gone up stays where he is, and a pill says that there is more", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await say(page, `@say ${"many words here. ".repeat(30)}\n@repeat 8`);
    await idle(page);
    const log = page.getByRole("log", { name: "What was said" });
    const top = () => log.evaluate((element) => element.scrollTop);
    const atEnd = () =>
      log.evaluate(
        (element) => element.scrollHeight - element.scrollTop - element.clientHeight < 4,
      );
    await until("it follows its end", atEnd);
    await say(page, `@say ${"more words come. ".repeat(30)}\n@repeat 8`);
    await page.locator(".prose", { hasText: "more words come." }).waitFor();
    await log.hover();
    await page.mouse.wheel(0, -600);
    await page.getByRole("button", { name: "New below" }).waitFor();
    const before = await top();
    await idle(page);
    expect(Math.abs((await top()) - before)).toBeLessThan(2);
    await page.getByRole("button", { name: "New below" }).click();
    await until("it is at the end again", atEnd);
  });

  test("of 2,000 messages the last are drawn at once, and all others as one goes up to them", async () => {
    await using nest = testGateway({ prepare: (dir) => writeLongSession(dir, 1000) });
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByText("Answer 1000:").waitFor();
    expect(await page.locator(".item").count()).toBeLessThan(200);
    const log = page.getByRole("log", { name: "What was said" });
    await until("the first one is drawn", async () => {
      await log.evaluate((element) => (element.scrollTop = 0));
      return (await page.getByText("Question 1.", { exact: true }).count()) === 1;
    });
    expect(await page.locator(".item").count()).toBe(2000);
    await say(page, "@say The newest.");
    await page.getByText("The newest.", { exact: true }).waitFor();
  });

  test("model and thinking are shown and can be chosen", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByRole("button", { name: /Scripted answers/ }).click();
    await page.getByLabel("Model").waitFor();
    expect(await page.getByLabel("Model").inputValue()).toBe("nest-scripted/scripted-1");
    await tab.shot("chat-model");
    await page.keyboard.press("Escape");
    await page.getByLabel("Model").waitFor({ state: "detached" });
  });
});
