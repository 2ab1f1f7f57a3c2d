import type { Page } from "playwright-core";
import { type TestGateway, TOKEN } from "../../support/gateway.ts";
import type { Look, TestBrowser, TestPage } from "./chromium.ts";

/** A prompt that has the scripted model call one tool. */
export function toolCall(name: string, args: unknown): string {
  return `@tool ${name} ${JSON.stringify(args)}`;
}

/** A page that is signed in and shows the conversation. */
export async function openChat(
  browser: TestBrowser,
  { url }: Pick<TestGateway, "url">,
  look?: Look,
  path = "/",
): Promise<TestPage> {
  const tab = await browser.page(look);
  await tab.page.goto(url + path);
  await tab.signIn(TOKEN);
  await tab.page.getByText("Scripted answers").waitFor();
  return tab;
}

/** Types a prompt and sends it with the button, as it is called just now. */
export async function say(page: Page, text: string, button = "Send"): Promise<void> {
  await page.getByLabel("Prompt").fill(text);
  await page.getByRole("button", { name: button, exact: true }).click();
  // In the conversation, the agent has begun.
  if (button === "Send")
    await page
      .locator('.said[data-state="there"]', { hasText: text.split("\n")[0] ?? "" })
      .last()
      .waitFor();
}

/** Waits until the agent does nothing. */
export async function idle(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Send", exact: true }).waitFor();
}

/** What stands in the conversation. */
export async function conversation(page: Page): Promise<string> {
  return (await page.getByRole("log", { name: "What was said" }).textContent()) ?? "";
}
