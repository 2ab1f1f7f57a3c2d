import { expect, test } from "bun:test";
import { testGateway } from "../../support/gateway.ts";
import { violations } from "./axe.ts";
import { withBrowser } from "./browser.ts";
import { LOOKS } from "./chromium.ts";
import { fill, openEditor, openVault } from "./vault-page.ts";

const NOTE = `---
tags: [garden, spring]
status: growing
---
# Spring in the garden

What is **sown** first, and why. The [[Beans]] come in May, the rest is in [the plan](plan.md).

- [x] dig
- [ ] sow
- water, *every* evening

> The best fertiliser is the gardener's shadow.

| bed | plant | seeds |
|-----|-------|------:|
| 1 | beans | 40 |
| 2 | lentils | 120 |

\`\`\`ts
export const beds: readonly string[] = ["north", "south"];
\`\`\`

Last of all come the [[Lentils]].
`;

withBrowser("everybody can use the vault", (browser) => {
  test.each(LOOKS)(
    "$size, $scheme: axe finds nothing in any of its views, and all of them are kept as pictures",
    async ({ size, scheme }) => {
      await using nest = testGateway();
      await fill(nest, {
        "garden/Spring.md": NOTE,
        "garden/Beans.md": "# Beans\n\nSow in May, as [[Spring]] says.\n",
        "garden/plan.md": "Beds.\n",
        "inbox/a rather long name of a note that nobody shortened.md": "",
        "readme.txt": "plain\nwords\n",
      });
      await using tab = await openVault(browser(), nest, "garden/Spring.md", { size, scheme });
      const { page } = tab;
      const check = async (name: string) => {
        expect({ name, violations: await violations(page) }).toEqual({ name, violations: [] });
        await tab.shot(`vault-${name}-${size}-${scheme}`);
      };
      await page.getByRole("complementary", { name: "Backlinks" }).waitFor();
      await page.locator(".hl-keyword").first().waitFor({ state: "attached" });
      await page.getByText("Properties").click();
      await check("note");
      await fill(nest, { "garden/Spring.md": NOTE.replace("in May", "in April") });
      await page.locator(".changed-block").waitFor();
      await check("changed");
      await openEditor(page);
      await check("editor");
      await page.keyboard.type("Mine.");
      await fill(nest, { "garden/Spring.md": NOTE.replace("dig", "rest") });
      await page.getByRole("button", { name: "Compare" }).click();
      await page.getByRole("region", { name: "Two versions" }).waitFor();
      await check("conflict");
      await page.getByRole("button", { name: "Take the other" }).click();
      await page.locator(".page-text", { hasText: "rest" }).waitFor();
      await page.getByRole("button", { name: "More about this note" }).click();
      await page.getByRole("menu").waitFor();
      await check("menu");
      await page.getByRole("menuitem", { name: "Rename or move" }).click();
      await page.getByLabel("Where it should be").waitFor();
      await check("move");
      await page.keyboard.press("Escape");
      await page.goto(`${nest.url}/v`);
      await page.getByRole("treeitem", { name: "garden" }).waitFor();
      await check("tree");
      await page.goto(`${nest.url}/v/garden`);
      await page.locator(".folder-page").getByRole("link", { name: "Beans.md" }).waitFor();
      await check("folder");
      await page.goto(`${nest.url}/v/readme.txt`);
      await page.locator(".plain-page").waitFor();
      await check("plain");
      await page.goto(`${nest.url}/v/.trash`);
      await page.getByRole("button", { name: "Restore" }).waitFor();
      await check("trash");
      await page.goto(`${nest.url}/search?q=beans`);
      await page.locator(".hit").first().waitFor();
      await check("search");
      await page.keyboard.press("Control+p");
      await page.keyboard.type("sp");
      await page.getByRole("option", { name: "Spring" }).waitFor();
      await check("quick-open");
    },
  );
});
