import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { testGateway } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";
import { openChat } from "./chat-page.ts";
import { fill, inMenu, openVault, stored } from "./vault-page.ts";

withBrowser("the vault's tree", (browser) => {
  test("opens with the keyboard, and follows what others make", async () => {
    await using nest = testGateway();
    await fill(nest, { "b.md": "b", "folder/inner/c.md": "deep words", "a10.md": "", "a9.md": "" });
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    const tree = page.getByRole("tree", { name: "Files" });
    await tree.focus();
    const names = () => page.getByRole("treeitem").allInnerTexts();
    expect((await names()).map((name) => name.trim())).toEqual(["folder", "a9", "a10", "b"]);
    await page.keyboard.press("ArrowRight");
    await page.getByRole("treeitem", { name: "inner" }).waitFor();
    await page.keyboard.press("ArrowRight");
    await page.keyboard.press("ArrowRight");
    await page.getByRole("treeitem", { name: "c.md" }).waitFor();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("Enter");
    await page.locator(".page-text", { hasText: "deep words" }).waitFor();
    expect(page.url()).toBe(`${nest.url}/v/folder/inner/c.md`);
    await tree.focus();
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    await page.getByRole("treeitem", { name: "c.md" }).waitFor({ state: "detached" });
    await page.keyboard.type("a10");
    expect(await page.locator('.tree-row[data-chosen="true"]').getAttribute("aria-label")).toBe(
      "a10.md",
    );
    await fill(nest, { "made-elsewhere.md": "" });
    await page.getByRole("treeitem", { name: "made-elsewhere.md" }).waitFor();
  });

  test("make, rename, move, trash, undo, restore", async () => {
    await using nest = testGateway();
    await fill(nest, { "old.md": "kept words", "folder/x.md": "x" });
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByRole("button", { name: "New note" }).click();
    await page.getByLabel("Name, with folders").fill("ideas/first");
    await page.keyboard.press("Enter");
    await until("it is made", async () => (await stored(nest, "ideas/first.md")) === "");
    await page.getByRole("treeitem", { name: "first.md" }).waitFor();
    // The name is taken: said where it was asked.
    await page.getByRole("button", { name: "New note" }).click();
    await page.getByLabel("Name, with folders").fill("old");
    await page.keyboard.press("Enter");
    await page.getByText("A file of that name is there already.").waitFor();
    await page.keyboard.press("Escape");
    expect(await stored(nest, "old.md")).toBe("kept words");
    await page.getByRole("button", { name: "New folder" }).click();
    await page.getByLabel("Name", { exact: true }).fill("archive");
    await page.keyboard.press("Enter");
    await page.getByRole("treeitem", { name: "archive" }).waitFor();
    await inMenu(page, "old.md", "Rename or move");
    await page.getByLabel("Where it should be").fill("archive/new.md");
    await page.keyboard.press("Enter");
    await until("it is moved", async () => (await stored(nest, "archive/new.md")) === "kept words");
    await page.getByRole("treeitem", { name: "new.md" }).waitFor();
    await page.getByRole("treeitem", { name: "new.md" }).click();
    await page.locator(".page-text", { hasText: "kept words" }).waitFor();
    await inMenu(page, "new.md", "Move to the trash");
    await page.getByText("archive/new.md lies in the trash.").waitFor();
    await page.getByRole("treeitem", { name: "new.md" }).waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Undo" }).click();
    await page.getByRole("treeitem", { name: "new.md" }).waitFor();
    // A whole folder, brought back from the trash itself.
    await inMenu(page, "archive", "Move to the trash");
    await page.getByRole("treeitem", { name: "archive" }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Trash" }).click();
    await page.getByRole("link", { name: "archive/new.md" }).waitFor();
    await tab.shot("trash");
    await page.getByRole("button", { name: "Restore" }).click();
    await until("it is back", async () => (await stored(nest, "archive/new.md")) === "kept words");
    await page.getByText("Nothing lies in the trash.").waitFor();
    // And for good, once it is said twice.
    await inMenu(page, "folder", "Move to the trash");
    await page.getByRole("treeitem", { name: "folder" }).waitFor({ state: "detached" });
    await page.getByRole("link", { name: "Search" }).click();
    await page.getByRole("link", { name: "Trash" }).click();
    await page.getByRole("button", { name: "Delete", exact: true }).click();
    await page.getByRole("button", { name: "Delete for good" }).click();
    await page.getByText("Nothing lies in the trash.").waitFor();
  });

  test("fifty thousand files: only those that are seen are drawn, the last is a key away", async () => {
    await using nest = testGateway({
      prepare(dir) {
        mkdirSync(join(dir, "vault", "many"), { recursive: true });
        for (let i = 0; i < 50_000; i++) writeFileSync(join(dir, "vault", "many", `n${i}.md`), "");
      },
    });
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByRole("treeitem", { name: "many" }).click();
    await page.getByRole("tree").focus();
    await page.locator('.tree-row[aria-setsize="50000"]').first().waitFor({ timeout: 60_000 });
    await page.keyboard.press("End");
    await page.getByRole("treeitem", { name: "n49999.md" }).waitFor();
    expect(await page.getByRole("treeitem").count()).toBeLessThan(80);
    await page.keyboard.press("Enter");
    await page.getByText("Nothing stands in it yet.").waitFor();
    await page.keyboard.press("Control+p");
    await page.keyboard.type("n31416");
    await page.getByRole("option", { name: "n31416", selected: true }).waitFor({ timeout: 60_000 });
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "n31416.md" }).waitFor();
    await tab.shot("tree-many");
  });

  test("search finds names and words, marks them, and its address can be kept", async () => {
    await using nest = testGateway();
    await fill(nest, {
      "garden.md": "roses\n",
      "notes/summer.md": "water the Garden\nnothing\nthe garden again\n",
    });
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.keyboard.press("Control+Shift+F");
    await page.getByRole("searchbox").waitFor();
    await page.keyboard.type("garden");
    await page.getByText("2 files").waitFor();
    expect(await page.locator(".hit-path").allInnerTexts()).toEqual([
      "garden.md",
      "notes/summer.md",
    ]);
    expect(await page.locator(".hit-line mark").allInnerTexts()).toEqual(["Garden", "garden"]);
    await until("the address says it", () => page.url() === `${nest.url}/search?q=garden`);
    await tab.shot("search");
    await page.locator(".hit", { hasText: "summer" }).click();
    await page.locator(".page-text", { hasText: "water the Garden" }).waitFor();
    await page.goBack();
    await page.getByText("2 files").waitFor();
    await page.getByRole("searchbox").fill("zebra");
    await page.getByText("Nothing found.").waitFor();
  });

  test("files are uploaded beside what is there, with their folders when dropped", async () => {
    await using nest = testGateway({ config: { vault: { maxFileBytes: 100_000 } } });
    await fill(nest, { "a.txt": "there before" });
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByRole("treeitem", { name: "a.txt" }).waitFor();
    const file = (name: string, text: string) => ({
      name,
      mimeType: "text/plain",
      buffer: Buffer.from(text),
    });
    await page
      .getByLabel("Files to upload")
      .setInputFiles([file("a.txt", "new"), file("big.bin", "x".repeat(200_000))]);
    await page.getByRole("treeitem", { name: "a 2.txt" }).waitFor();
    await page.getByText("big.bin: it is larger than this Nest takes").waitFor();
    expect(await stored(nest, "a.txt")).toBe("there before");
    expect(await stored(nest, "a 2.txt")).toBe("new");
    await page.getByRole("button", { name: "Seen" }).click();
    // A folder from outside, as the system drops it.
    const outside = join(nest.dir, "outside", "holiday");
    mkdirSync(join(outside, "day 1"), { recursive: true });
    mkdirSync(join(outside, "empty"));
    writeFileSync(join(outside, "plan.txt"), "the plan");
    writeFileSync(join(outside, "day 1", "log.txt"), "rain");
    const box = await page.locator(".tree-box").boundingBox();
    const devtools = await tab.context.newCDPSession(page);
    for (const type of ["dragEnter", "dragOver", "drop"] as const) {
      await devtools.send("Input.dispatchDragEvent", {
        type,
        x: (box?.x ?? 0) + 40,
        y: (box?.y ?? 0) + (box?.height ?? 0) - 20,
        data: { items: [], files: [outside], dragOperationsMask: 1 },
      });
    }
    await until(
      "all is stored",
      async () => (await stored(nest, "holiday/day 1/log.txt")) === "rain",
    );
    await until(
      "all is stored",
      async () => (await stored(nest, "holiday/plan.txt")) === "the plan",
    );
    await until("the empty one, too", () =>
      existsSync(join(nest.dir, "vault", "holiday", "empty")),
    );
    await page.getByRole("treeitem", { name: "holiday" }).waitFor();
    expect(tab.errors.filter((text) => !/41[23]/.test(text))).toEqual([]);
  });

  test("an upload says how far it is, and can be stopped", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByText("Nothing is here yet.").waitFor();
    const { promise: go, resolve } = Promise.withResolvers<void>();
    await tab.context.route("**/api/files/slow*.txt", async (route) => {
      await go;
      await route.continue().catch(() => {});
    });
    const slow = (i: number) => ({
      name: `slow${i}.txt`,
      mimeType: "text/plain",
      buffer: Buffer.alloc(50_000, 65),
    });
    await page.getByLabel("Files to upload").setInputFiles([slow(1), slow(2), slow(3), slow(4)]);
    await page.getByRole("progressbar").waitFor();
    await page.getByText("1 of 4").waitFor();
    await tab.shot("upload");
    await page.getByRole("button", { name: "Stop", exact: true }).click();
    await page.getByRole("progressbar").waitFor({ state: "detached" });
    resolve();
    await page.getByLabel("Files to upload").setInputFiles([slow(5)]);
    await page.getByRole("treeitem", { name: "slow5.txt" }).waitFor();
    expect(await stored(nest, "slow4.txt")).toBeUndefined();
  });

  test("on a phone: the tree is a place of its own, a tap opens the note", async () => {
    await using nest = testGateway();
    await fill(nest, { "folder/a.md": "# Words on a phone" });
    await using tab = await openVault(browser(), nest, "nowhere.md", {
      size: "phone",
      scheme: "light",
    });
    const { page } = tab;
    await page.getByRole("button", { name: "Write it" }).waitFor();
    await page.getByRole("link", { name: "Vault" }).click();
    await tab.shot("tree-phone");
    await page.getByRole("treeitem", { name: "folder" }).tap();
    await page.getByRole("treeitem", { name: "a.md" }).tap();
    await page.getByRole("heading", { name: "Words on a phone" }).waitFor();
    await tab.shot("note-phone");
  });
});
