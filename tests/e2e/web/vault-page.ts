import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Page } from "playwright-core";
import { type TestGateway, TOKEN } from "../../support/gateway.ts";
import type { Look, TestBrowser, TestPage } from "./chromium.ts";

/** Puts files into the vault as the agent or another program would, past Nest. */
export async function fill(
  { dir }: Pick<TestGateway, "dir">,
  files: Readonly<Record<string, string | Uint8Array<ArrayBuffer>>>,
): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const at = join(dir, "vault", path);
    mkdirSync(dirname(at), { recursive: true });
    await Bun.write(at, content);
  }
}

/** What a file of the vault holds now; `undefined` where there is none. */
export async function stored(
  { dir }: Pick<TestGateway, "dir">,
  path: string,
): Promise<string | undefined> {
  const file = Bun.file(join(dir, "vault", path));
  return (await file.exists()) ? await file.text() : undefined;
}

/** A page that is signed in and shows a path of the vault. */
export async function openVault(
  browser: TestBrowser,
  { url }: Pick<TestGateway, "url">,
  path: string,
  look?: Look,
): Promise<TestPage> {
  const tab = await browser.page(look);
  await tab.page.goto(`${url}/v/${path}`);
  await tab.signIn(TOKEN);
  await tab.page.locator(".side-pane .pane-title").waitFor();
  return tab;
}

/** Opens the editor and puts the cursor at the end. */
export async function openEditor(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+End");
}

/** Opens a row's menu in the tree, and chooses in it. */
export async function inMenu(page: Page, name: string, item: string): Promise<void> {
  await page.getByRole("treeitem", { name, exact: true }).hover();
  await page
    .getByRole("treeitem", { name, exact: true })
    .getByRole("button", { name: `More about ${name}` })
    .click();
  await page.getByRole("menuitem", { name: item }).click();
}
