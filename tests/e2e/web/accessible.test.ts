import { join } from "node:path";
import { expect, test } from "bun:test";
import { testGateway, TOKEN } from "../../support/gateway.ts";
import { violations } from "./axe.ts";
import { withBrowser } from "./browser.ts";
import { openChat, say, toolCall } from "./chat-page.ts";
import { LOOKS } from "./chromium.ts";

const MARKDOWN = [
  "# Head",
  "Words with **weight**, `code` and [a link](https://example.org).",
  "- one\n- two",
  "> quoted",
  "| a | b |\n|---|--:|\n| x | 1 |",
  "```ts\nexport const answer: number = 42; // why\n```",
  "- [x] done",
].join("\n\n");

withBrowser("everybody can use it", (browser) => {
  test.each(LOOKS)(
    "$size, $scheme: axe finds nothing, and all of it is kept as pictures",
    async ({ size, scheme }) => {
      const look = { size, scheme };
      await using nest = testGateway();
      await Bun.write(join(nest.dir, "vault", "a.md"), MARKDOWN);
      await using tab = await browser().page(look);
      const { page } = tab;
      const check = async (name: string) => {
        expect({ name, violations: await violations(page) }).toEqual({ name, violations: [] });
        await tab.shot(`${name}-${size}-${scheme}`);
      };
      await page.goto(nest.url);
      await page.getByLabel("Token", { exact: true }).waitFor();
      await check("sign-in");
      await tab.signIn(`${TOKEN}x`);
      await page.getByText("That is not a token").waitFor();
      await check("sign-in-wrong");
      await tab.signIn(TOKEN);
      await page.getByText("What shall we do?").waitFor();
      await check("first-steps");
      await say(
        page,
        [
          "@think Reasons.",
          toolCall("bash", { command: "echo words; exit 3" }),
          toolCall("edit", { path: "a.md", edits: [{ oldText: "one", newText: "1" }] }),
          toolCall("read", { path: "a.md" }),
        ].join("\n"),
      );
      await page.locator(".prose", { hasText: "Done. The last tool said" }).waitFor();
      await page.getByRole("button", { name: /^Edit a\.md/ }).click();
      await page.locator(".hl-keyword").first().waitFor({ state: "attached" });
      await check("conversation");
      await page.goto(`${nest.url}/more`);
      await page.getByText("this one").waitFor();
      await check("more");
      await page.keyboard.press("Control+k");
      await page.getByRole("option", { name: /Sign out/ }).waitFor();
      await check("palette");
      await page.keyboard.press("Escape");
      await page.getByRole("button", { name: "Show all keys" }).click();
      await page.getByRole("dialog", { name: "Keys" }).waitFor();
      await check("keys");
    },
  );

  test("without a mouse: skip to the prompt, choose in the palette, close with Escape, focus comes back", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await page.getByLabel("Prompt").focus();
    await page.keyboard.press("Control+k");
    await page.keyboard.type("browsers");
    await page.getByRole("option", { name: /Signed-in browsers/, selected: true }).waitFor();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "More" }).waitFor();
    expect(page.url()).toBe(`${nest.url}/more`);
    await page.keyboard.press("Control+k");
    await page.getByRole("combobox").waitFor();
    await page.keyboard.press("Escape");
    await page.getByRole("combobox").waitFor({ state: "detached" });
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("composer");
    await page.evaluate(() => (document.activeElement as HTMLElement).blur());
    await page.keyboard.press("?");
    await page.getByRole("dialog", { name: "Keys" }).waitFor();
    await page.keyboard.press("Escape");
    // The first stop of all leads past the rail.
    const first = page.locator("a, button, input, textarea, [tabindex='0']").first();
    expect(await first.innerText()).toBe("Skip to the prompt");
    await first.focus();
    await page.keyboard.press("Enter");
    expect(await page.evaluate(() => document.activeElement?.id)).toBe("composer");
    expect(page.url()).toBe(`${nest.url}/more`);
  });

  test("on a phone everything that is touched is 44 px, and nothing is wider than the screen", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest, { size: "phone", scheme: "light" });
    const { page } = tab;
    await say(page, `@say A very long word: ${"x".repeat(400)} and \`${"y".repeat(400)}\``);
    await page.locator(".prose", { hasText: "A very long word" }).last().waitFor();
    for (const path of ["/", "/more", "/v", "/search"]) {
      await page.goto(nest.url + path);
      await page.locator(".bottom-bar").waitFor();
      const { small, width } = await page.evaluate(() => ({
        small: [...document.querySelectorAll("button, .bottom-bar a, input:not(.visually-hidden)")]
          .filter(
            (element) => element.checkVisibility() && !element.closest(".code, .foot, .check"),
          )
          .map((element) => ({
            html: element.outerHTML.slice(0, 80),
            box: element.getBoundingClientRect(),
          }))
          .filter(({ box }) => box.height < 43.5 && box.height > 0)
          .map(({ html }) => html),
        width: document.documentElement.scrollWidth,
      }));
      expect({ path, small }).toEqual({ path, small: [] });
      expect(width).toBeLessThanOrEqual(390);
    }
  });
});
