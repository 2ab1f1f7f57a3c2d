import { expect, test } from "bun:test";
import { BasePathProxy } from "../../support/base-path-proxy.ts";
import { testGateway } from "../../support/gateway.ts";
import { withBrowser } from "./browser.ts";
import { idle, openChat, say } from "./chat-page.ts";

withBrowser("below a base path", (browser) => {
  test("all of it works, asks for nothing outside, and needs no setting", async () => {
    await using nest = testGateway();
    await using proxy = new BasePathProxy(nest.url, "/notes/nest");
    await using tab = await openChat(browser(), proxy, undefined, "/s/default");
    const { page } = tab;
    await say(page, "@say Below.");
    await page.getByText("Below.", { exact: true }).waitFor();
    await idle(page);
    await page.getByRole("link", { name: "More", exact: true }).click();
    await page.getByText("this one").waitFor();
    expect(page.url()).toBe(`${proxy.url}/more`);
    await page.goto(`${proxy.url}/v/a/b/c.md`);
    await page.getByText("Below.", { exact: true }).waitFor();
    const outside = tab.requests.filter((url) => !url.startsWith(`${proxy.url}/`));
    expect(outside).toEqual([]);
    expect(await page.evaluate(() => Object.keys(sessionStorage))).toEqual([
      "nest.token:/notes/nest/",
    ]);
  });
});
