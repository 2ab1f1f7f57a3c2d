import { expect, test } from "bun:test";
import { testGateway } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";
import { idle, openChat, say, toolCall } from "./chat-page.ts";
import { fill, openEditor, openVault, stored } from "./vault-page.ts";

withBrowser("a note", (browser) => {
  test("is read as a page: front matter folded, wiki-links and backlinks followed", async () => {
    await using nest = testGateway();
    await fill(nest, {
      "plans/spring.md":
        "---\ntags: [garden, spring]\nowner: me\n---\n# Spring\n\nSee [[Beans]] and [[no such|a new one]], or [beans](../notes/Beans.md).\n",
      "notes/Beans.md": "# Beans\n\nSow in May.\n",
      "notes/other.md": "Nothing about [[Lentils]].\n",
    });
    await using tab = await openVault(browser(), nest, "plans/spring.md");
    const { page } = tab;
    await page.getByRole("heading", { name: "Spring", exact: true }).waitFor();
    expect(await page.getByText("garden").isVisible()).toBe(false);
    await page.getByText("Properties").click();
    await page.getByText("[garden, spring]").waitFor();
    await page.locator(".wiki.missing", { hasText: "a new one" }).waitFor();
    await page.getByRole("link", { name: "Beans", exact: true }).click();
    await page.getByText("Sow in May.").waitFor();
    expect(page.url()).toBe(`${nest.url}/v/notes/Beans.md`);
    const backlinks = page.getByRole("complementary", { name: "Backlinks" });
    expect(await backlinks.getByRole("link").allInnerTexts()).toEqual(["plans/spring"]);
    await tab.shot("note-read");
    await page.goBack();
    await page.getByRole("heading", { name: "Spring", exact: true }).waitFor();
    expect(tab.errors.filter((text) => /Content Security Policy|Trusted/.test(text))).toEqual([]);
  });

  test("is edited and saved with the keys; the editor breaks no policy of the page", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "# Head\r\n\r\nwords\r\n" });
    await using tab = await openVault(browser(), nest, "a.md");
    const { page } = tab;
    await openEditor(page);
    await page.keyboard.type("- one ? two");
    await page.keyboard.press("Enter");
    await page.keyboard.type("three");
    await page.getByText("Not saved").waitFor();
    await page.keyboard.press("Control+s");
    await page.getByText("Saved", { exact: true }).waitFor();
    // The list went on by itself, and the file keeps its line breaks.
    expect(await stored(nest, "a.md")).toBe("# Head\r\n\r\nwords\r\n- one ? two\r\n- three");
    // Styled, though the policy allows no style of its own.
    expect(
      await page.locator(".cm-editor").evaluate((element) => getComputedStyle(element).display),
    ).toBe("flex");
    await tab.shot("note-edit");
    await page.keyboard.press("Control+e");
    await page.locator(".markdown li", { hasText: "three" }).waitFor();
    expect(tab.errors).toEqual([]);
  });

  test("what is typed survives a reload and a server that is away, and is saved later", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "first\n" });
    await using tab = await openVault(browser(), nest, "a.md");
    const { page } = tab;
    await openEditor(page);
    await page.keyboard.type("unsaved words");
    await page.getByText("Not saved").waitFor();
    await page.reload();
    await page.locator(".cm-content", { hasText: "unsaved words" }).waitFor();
    expect(await stored(nest, "a.md")).toBe("first\n");
    await tab.context.route("**/api/files/**", (route) => route.abort());
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Not saved: Nest doesn't answer.").waitFor();
    await tab.context.unroute("**/api/files/**");
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.getByText("Saved", { exact: true }).waitFor();
    expect(await stored(nest, "a.md")).toBe("first\nunsaved words");
    await page.reload();
    await page.locator(".markdown", { hasText: "unsaved words" }).waitFor();
  });

  test("is read anew when the agent changes it: marked in the margin, taken back in one step", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "# Plan\n\nfirst line\n\nsecond line\n" });
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.keyboard.press("Control+p");
    await page.keyboard.type("a");
    await page.getByRole("option", { name: "a", selected: true }).click();
    await page.locator(".page-text", { hasText: "first line" }).waitFor();
    await say(
      page,
      toolCall("edit", {
        path: "a.md",
        edits: [{ oldText: "first line", newText: "better line" }],
      }),
    );
    await idle(page);
    await page.locator(".changed-block", { hasText: "better line" }).waitFor();
    expect(await page.locator(".changed-block").count()).toBe(1);
    await page.getByText("1 line was just changed.").waitFor();
    await tab.shot("note-changed");
    await page.getByRole("button", { name: "Undo", exact: true }).click();
    await page.locator(".page-text", { hasText: "first line" }).waitFor();
    expect(await stored(nest, "a.md")).toBe("# Plan\n\nfirst line\n\nsecond line\n");
    await page.getByRole("button", { name: "Redo" }).click();
    await page.locator(".page-text", { hasText: "better line" }).waitFor();
    expect(await page.locator(".changed-block").count()).toBe(0);
  });

  test("in the open editor, too: the cursor stays, the lines are marked", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "one\ntwo\nthree\n" });
    await using tab = await openVault(browser(), nest, "a.md");
    const { page } = tab;
    await openEditor(page);
    await fill(nest, { "a.md": "one\n2\nthree\n" });
    await page.locator(".cm-changed", { hasText: "2" }).waitFor();
    await page.getByRole("button", { name: "Undo", exact: true }).click();
    await page.locator(".cm-line", { hasText: "two" }).waitFor();
    await page.getByText("Saved", { exact: true }).waitFor();
    expect(await stored(nest, "a.md")).toBe("one\ntwo\nthree\n");
    await fill(nest, { "a.md": "one\n2\nthree\n" });
    await page.locator(".cm-changed", { hasText: "2" }).waitFor();
    await page.getByText("Saved", { exact: true }).waitFor();
    await page.locator(".cm-content").focus();
    await page.keyboard.type("four");
    await page.keyboard.press("Control+s");
    await until("it is stored", async () => (await stored(nest, "a.md")) === "one\n2\nthree\nfour");
  });

  test("unsaved words go along when the note gets another name", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "first\n", "folder/b.md": "" });
    await using tab = await openVault(browser(), nest, "a.md");
    const { page } = tab;
    await openEditor(page);
    await page.keyboard.type("unsaved words");
    await page.getByText("Not saved").waitFor();
    await page
      .getByRole("treeitem", { name: "a.md" })
      .dragTo(page.getByRole("treeitem", { name: "folder" }));
    await page.getByText("Moved to folder/a.md.").waitFor();
    await page.locator(".cm-content", { hasText: "unsaved words" }).waitFor();
    expect(page.url()).toBe(`${nest.url}/v/folder/a.md`);
    await page.keyboard.press("Control+s");
    await page.getByText("Saved", { exact: true }).waitFor();
    expect(await stored(nest, "folder/a.md")).toBe("first\nunsaved words");
    expect(await stored(nest, "a.md")).toBeUndefined();
  });

  test("signing out forgets drafts, and the names of what was open", async () => {
    await using nest = testGateway();
    await fill(nest, { "secret plans/a.md": "first\n" });
    await using tab = await openVault(browser(), nest, "secret%20plans/a.md");
    const { page } = tab;
    await openEditor(page);
    await page.keyboard.type("unsaved");
    await page.getByText("Not saved").waitFor();
    const kept = () => page.evaluate(() => JSON.stringify({ ...localStorage }));
    expect(await kept()).toContain("unsaved");
    await page.keyboard.press("Control+k");
    await page.keyboard.type("sign out");
    await page.keyboard.press("Enter");
    await page.getByLabel("Token", { exact: true }).waitFor();
    expect(await kept()).not.toMatch(/unsaved|secret/);
  });

  test("that is removed elsewhere can be written anew from what was on the screen", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.md": "precious\n" });
    await using tab = await openVault(browser(), nest, "a.md");
    const { page } = tab;
    await page.locator(".page-text", { hasText: "precious" }).waitFor();
    await Bun.file(`${nest.dir}/vault/a.md`).delete();
    await page.getByRole("button", { name: "Write it anew from what was here" }).click();
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await until("it is stored", async () => (await stored(nest, "a.md")) === "precious\n");
  });
});
