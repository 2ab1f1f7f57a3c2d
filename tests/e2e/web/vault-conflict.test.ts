import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { type TestGateway, testGateway } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";
import { idle, openChat, say, toolCall } from "./chat-page.ts";
import type { TestBrowser, TestPage } from "./chromium.ts";
import { fill, openEditor, openVault, stored } from "./vault-page.ts";

/** Contents of all files in the vault, the trash included. */
async function everything({ dir }: Pick<TestGateway, "dir">): Promise<string> {
  const root = join(dir, "vault");
  const names = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  return (await Promise.all(names.map((name) => Bun.file(name).text()))).join("\n---\n");
}

/** A page whose unsaved words stand against another version, both shown. */
async function conflict(
  browser: TestBrowser,
  nest: TestGateway,
): Promise<TestPage & { readonly page: Page }> {
  await fill(nest, { "a.md": "start\nmiddle\nend\n" });
  const tab = await openVault(browser, nest, "a.md");
  const { page } = tab;
  await openEditor(page);
  await page.keyboard.type("my words");
  await fill(nest, { "a.md": "start\ntheir words\nend\n" });
  await page.getByText("It was changed meanwhile. Your words are safe here.").waitFor();
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByRole("region", { name: "Two versions" }).waitFor();
  // Nothing has happened yet.
  expect(await stored(nest, "a.md")).toBe("start\ntheir words\nend\n");
  return tab;
}

withBrowser("two versions of a note", (browser) => {
  test("are shown side by side; mine is kept, the other lies in the trash", async () => {
    await using nest = testGateway();
    await using tab = await conflict(browser(), nest);
    const { page } = tab;
    const columns = page.getByRole("group", { name: "Mine and The other" });
    expect(await columns.locator('[data-side="left"]').allInnerTexts()).toContain("my words");
    expect(await columns.locator('[data-side="right"]').allInnerTexts()).toContain("their words");
    await tab.shot("conflict");
    await page.getByRole("button", { name: "Keep mine" }).click();
    await page.getByText("Saved", { exact: true }).waitFor();
    expect(await stored(nest, "a.md")).toBe("start\nmiddle\nend\nmy words");
    expect(await everything(nest)).toContain("their words");
    // It can be brought back by hand.
    await page.goto(`${nest.url}/v/.trash`);
    await page.getByRole("button", { name: "Restore" }).click();
    await until("it is back", async () => await stored(nest, "a 2.md"));
    expect(await stored(nest, "a 2.md")).toContain("their words");
  });

  test("the other is taken, mine lies in the trash", async () => {
    await using nest = testGateway();
    await using tab = await conflict(browser(), nest);
    await tab.page.getByRole("button", { name: "Take the other" }).click();
    await tab.page.locator(".page-text", { hasText: "their words" }).waitFor();
    expect(await stored(nest, "a.md")).toBe("start\ntheir words\nend\n");
    expect(await everything(nest)).toContain("my words");
  });

  test("both are kept, mine beside the other", async () => {
    await using nest = testGateway();
    await using tab = await conflict(browser(), nest);
    const { page } = tab;
    await page.getByRole("button", { name: "Keep both" }).click();
    await page.getByRole("button", { name: "Open it" }).click();
    await page.locator(".page-text", { hasText: "my words" }).waitFor();
    expect(await stored(nest, "a.md")).toBe("start\ntheir words\nend\n");
    expect(await stored(nest, "a (mine).md")).toBe("start\nmiddle\nend\nmy words");
  });

  test("a third one that comes while they are compared is not overwritten", async () => {
    await using nest = testGateway();
    await using tab = await conflict(browser(), nest);
    const { page } = tab;
    // This page hears of nothing any more.
    await tab.context.route("**/attach*", (route) => route.abort());
    await tab.context.routeWebSocket(/attach/, (socket) => void socket.close());
    let isFirst = true;
    await tab.context.route("**/api/files/a.md", async (route) => {
      if (route.request().method() === "PUT" && isFirst) {
        isFirst = false;
        await fill(nest, { "a.md": "third words\n" });
      }
      await route.continue();
    });
    await page.getByRole("button", { name: "Keep mine" }).click();
    await page.getByText("It has changed once more. Both are shown anew.").waitFor();
    expect(await stored(nest, "a.md")).toBe("third words\n");
    await page.getByRole("button", { name: "Keep mine" }).click();
    await page.getByText("Saved", { exact: true }).waitFor();
    const all = await everything(nest);
    for (const words of ["my words", "their words", "third words"]) expect(all).toContain(words);
  });

  test("a save whose answer is lost is no conflict with itself", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "first\n" });
    await using tab = await openVault(browser(), nest, "a.md");
    const { page } = tab;
    await openEditor(page);
    await page.keyboard.type("second");
    let isFirst = true;
    await tab.context.route("**/api/files/a.md", async (route) => {
      if (route.request().method() !== "PUT" || !isFirst) return route.continue();
      isFirst = false;
      await route.fetch();
      await route.abort();
    });
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Saved", { exact: true }).waitFor();
    expect(await stored(nest, "a.md")).toBe("first\nsecond");
    expect(await page.getByRole("region", { name: "Two versions" }).count()).toBe(0);
  });

  test("two browsers and the agent at one note: nobody's words are lost", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "# Together\n" });
    await using one = await openChat(browser(), nest, undefined, "/");
    await using two = await openVault(browser(), nest, "a.md", { size: "phone", scheme: "dark" });
    await one.page.goto(`${nest.url}/v/a.md`);
    await one.page.getByText("Scripted answers").waitFor();
    await openEditor(one.page);
    await openEditor(two.page);
    await one.page.keyboard.type("words of the first");
    await two.page.keyboard.type("words of the second");
    await say(one.page, toolCall("bash", { command: "echo 'words of the agent' >> a.md" }));
    await idle(one.page);
    for (const tab of [one, two]) {
      await tab.page.getByText("It was changed meanwhile. Your words are safe here.").waitFor();
    }
    await one.page.getByRole("button", { name: "Save", exact: true }).click();
    await one.page.getByRole("button", { name: "Keep mine" }).click();
    await one.page.getByText("Saved", { exact: true }).waitFor();
    await two.page.getByRole("button", { name: "Save", exact: true }).click();
    await two.page
      .getByRole("group", { name: "Mine and The other" })
      .getByText("words of the first")
      .waitFor();
    await two.shot("conflict-phone");
    await two.page.getByRole("button", { name: "Keep both" }).click();
    await two.page.locator(".page-text", { hasText: "words of the first" }).waitFor();
    const all = await everything(nest);
    for (const who of ["first", "second", "agent"]) expect(all).toContain(`words of the ${who}`);
  });
});
