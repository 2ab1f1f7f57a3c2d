import { expect, test } from "bun:test";
import { testGateway } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";
import { idle, openChat, say } from "./chat-page.ts";

withBrowser("notifications", (browser) => {
  test("come when one asked for them and looks elsewhere, and say nothing of what was said", async () => {
    await using nest = testGateway();
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    await tab.context.grantPermissions(["notifications"], { origin: nest.url });
    await until("the worker is there", () =>
      page.evaluate(
        async () => ((await navigator.serviceWorker.getRegistration())?.active ?? null) !== null,
      ),
    );
    const shown = () =>
      page.evaluate(async () => {
        const registration = await navigator.serviceWorker.ready;
        return (await registration.getNotifications()).map(({ title, body }) => ({ title, body }));
      });
    const answer = async (text: string) => {
      await say(page, `@say ${text}`);
      await page.getByText(text, { exact: true }).waitFor();
      await idle(page);
    };
    // Pages of a test always have the focus; this one looks elsewhere.
    const lookAway = (isAway: boolean) =>
      page.evaluate((away) => (document.hasFocus = () => !away), isAway);

    await lookAway(true);
    await answer("Not asked for.");
    await page.getByRole("link", { name: "More", exact: true }).click();
    await page.getByLabel(/Tell me when the agent is done/).check();
    await lookAway(false);
    await answer("Seen.");
    expect(await shown()).toEqual([]);
    await lookAway(true);
    await answer("A secret.");
    await until("it is shown", async () => (await shown()).length === 1);
    expect(await shown()).toEqual([{ title: "Nest · default", body: "The agent is done." }]);
  });
});
