import { expect, test } from "bun:test";
import { testGateway, TOKEN } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";

const OWNER = { Authorization: `Bearer ${TOKEN}` };

async function browsersOf(url: string): Promise<{ readonly id: string }[]> {
  const listed = await fetch(`${url}/api/browsers`, { headers: OWNER });
  return ((await listed.json()) as { browsers: { id: string }[] }).browsers;
}

withBrowser("signing in", (browser) => {
  test("a deep link leads there afterwards, and the page keeps a token of its own, not the owner's", async () => {
    await using nest = testGateway();
    await using tab = await browser().page();
    const { page } = tab;
    await page.goto(`${nest.url}/more`);
    await tab.signIn(TOKEN);
    await page.getByText("this one").waitFor();
    expect(page.url()).toBe(`${nest.url}/more`);
    const kept = await page.evaluate(
      () =>
        JSON.stringify(Object.entries(sessionStorage)) +
        JSON.stringify(Object.entries(localStorage)),
    );
    expect(kept).toContain("nest.token:");
    expect(kept).not.toContain(TOKEN);
    expect(await page.evaluate(() => localStorage.getItem("nest.token:/"))).toBeNull();
    expect(await page.evaluate(() => document.cookie)).toBe("");
  });

  test("a password manager finds a form to fill: a username, a current password, a button", async () => {
    await using nest = testGateway();
    await using tab = await browser().page();
    await tab.page.goto(nest.url);
    await tab.page.getByLabel("Token", { exact: true }).waitFor();
    const fields = await tab.page.evaluate(() =>
      [...document.querySelectorAll("form input")].map((field) => [
        (field as HTMLInputElement).type,
        field.getAttribute("autocomplete"),
      ]),
    );
    expect(fields).toEqual([
      ["text", "username"],
      ["password", "current-password"],
      ["checkbox", null],
    ]);
  });

  test("a wrong token is said, and the tenth locks out with a countdown that lets in again", async () => {
    await using nest = testGateway({
      config: { server: { rateLimit: { maxFailures: 3, windowSeconds: 8 } } },
    });
    await using tab = await browser().page();
    const { page } = tab;
    await page.goto(nest.url);
    for (let i = 1; i <= 3; i++) {
      await tab.signIn(`nest_wrong-${i}`);
      await until("the attempt is counted", () => nest.logged("auth_failed").length === i);
      await page.getByRole("button", { name: "Sign in" }).waitFor();
    }
    await page.getByText("That is not a token of this Nest").waitFor();
    await tab.signIn(TOKEN);
    await page.getByText(/Locked out for [1-8] s/).waitFor();
    expect(await page.getByRole("button", { name: "Sign in" }).isDisabled()).toBe(true);
    // The server's seconds end when they end; the button is back by then.
    await until("it lets in", async () => {
      if (await page.getByLabel("Prompt").isVisible()) return true;
      await page
        .getByRole("button", { name: "Sign in" })
        .click({ timeout: 200 })
        .catch(() => {});
      return undefined;
    });
  });

  test("what no header can carry is no token, and costs no attempt", async () => {
    await using nest = testGateway();
    await using tab = await browser().page();
    await tab.page.goto(nest.url);
    await tab.signIn("two words ü");
    await tab.page.getByText("That is not a token of this Nest").waitFor();
    expect(nest.logged("auth_failed")).toEqual([]);
  });

  test("a server that is away is said", async () => {
    await using tab = await browser().page();
    {
      await using nest = testGateway();
      await tab.page.goto(nest.url);
      await tab.page.getByLabel("Token", { exact: true }).waitFor();
    }
    await tab.signIn(TOKEN);
    await tab.page.getByText("Nest doesn't answer").waitFor();
  });

  test("for this tab: another begins signed out; for this browser: another is in, and out with it", async () => {
    await using nest = testGateway();
    await using tab = await browser().page();
    await tab.page.goto(nest.url);
    await tab.signIn(TOKEN);
    await tab.page.getByLabel("Prompt").waitFor();
    const second = await tab.context.newPage();
    await second.goto(nest.url);
    await second.getByLabel("Token", { exact: true }).waitFor();
    await second.getByLabel("Token", { exact: true }).fill(TOKEN);
    await second.getByLabel("Stay signed in on this browser").check();
    await second.getByRole("button", { name: "Sign in" }).click();
    await second.getByLabel("Prompt").waitFor();
    const third = await tab.context.newPage();
    await third.goto(`${nest.url}/more`);
    await third.getByRole("button", { name: "Sign out here" }).click();
    await third.getByText("You are signed out").waitFor();
    await second.getByText("You are signed out").waitFor();
    // The one that was kept; the first tab's stays.
    await until("it is revoked", async () => (await browsersOf(nest.url)).length === 1);
  });

  test("revoked elsewhere: the page says so at once, keeps the draft, and goes on where it was", async () => {
    await using nest = testGateway();
    await using tab = await browser().page();
    const { page } = tab;
    await page.goto(nest.url);
    await tab.signIn(TOKEN);
    await page.getByLabel("Prompt").fill("half a thought");
    const browsers = await browsersOf(nest.url);
    await page.getByText("Scripted answers").waitFor();
    await fetch(`${nest.url}/api/browsers/${browsers[0]?.id}`, {
      method: "DELETE",
      headers: OWNER,
    });
    await page.getByText("This browser's sign-in has ended").waitFor();
    expect(nest.logged("auth_failed")).toEqual([]);
    await tab.signIn(TOKEN);
    await until(
      "the draft is back",
      async () => (await page.getByLabel("Prompt").inputValue()) === "half a thought",
    );
  });

  test("talks to its own origin only, whatever the address says (CVE-2026-25253)", async () => {
    await using nest = testGateway();
    await using tab = await browser().page();
    const { page } = tab;
    const sockets: string[] = [];
    page.on("websocket", (socket) => sockets.push(socket.url()));
    await page.goto(
      `${nest.url}/?gatewayUrl=ws://127.0.0.1:9&server=http://127.0.0.1:9&url=ws://127.0.0.1:9&token=x#url=ws://127.0.0.1:9`,
    );
    await tab.signIn(TOKEN);
    await page.getByText("Scripted answers").waitFor();
    const own = new URL(nest.url).host;
    expect(sockets.map((url) => new URL(url).host)).toEqual([own]);
    expect([...new Set(tab.requests.map((url) => new URL(url).host))]).toEqual([own]);
    expect(tab.requests.slice(1).join(" ")).not.toContain("127.0.0.1:9&");
  });
});
