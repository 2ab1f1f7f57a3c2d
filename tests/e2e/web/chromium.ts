import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

/** The Chromium that is installed here, if any: `NEST_CHROMIUM` names another. */
const EXECUTABLE = [process.env["NEST_CHROMIUM"], "/usr/bin/chromium", "/usr/bin/chromium-browser"]
  .filter((path) => path !== undefined)
  .find((path) => existsSync(path));

/** False where the tests with a browser have to be skipped, with words in their names. */
export const hasChromium = EXECUTABLE !== undefined;

/** Where the tests leave their pictures; git ignores it. */
const SHOTS = join(import.meta.dir, "..", "..", "..", "screenshots");

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export const SIZES = {
  phone: { width: 390, height: 844 },
  desk: { width: 1440, height: 900 },
} as const;

export interface Look {
  readonly size: keyof typeof SIZES;
  readonly scheme: "light" | "dark";
}

/** What every capability is shown in. */
export const LOOKS: readonly Look[] = [
  { size: "desk", scheme: "light" },
  { size: "desk", scheme: "dark" },
  { size: "phone", scheme: "light" },
  { size: "phone", scheme: "dark" },
];

/** A browser with pages that tell what went wrong in them. */
export class TestBrowser implements AsyncDisposable {
  readonly #browser: Browser;

  constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<TestBrowser> {
    const { CHROMIUM_FLAGS: _, ...env } = process.env as Record<string, string>;
    return new TestBrowser(
      await chromium.launch({ executablePath: EXECUTABLE ?? "", args: FLAGS, env }),
    );
  }

  /** A page in a profile of its own. */
  async page({ size, scheme }: Look = { size: "desk", scheme: "light" }): Promise<TestPage> {
    const context = await this.#browser.newContext({
      viewport: SIZES[size],
      colorScheme: scheme,
      hasTouch: size === "phone",
      isMobile: size === "phone",
      deviceScaleFactor: size === "phone" ? 2 : 1,
    });
    context.setDefaultTimeout(15_000);
    return new TestPage(context, await context.newPage());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

export class TestPage implements AsyncDisposable {
  readonly context: BrowserContext;
  readonly page: Page;
  /** Uncaught errors, and what the console calls an error: violations of the content policy among them. */
  readonly errors: string[] = [];
  /** Addresses that were asked for, of all frames and workers. */
  readonly requests: string[] = [];

  constructor(context: BrowserContext, page: Page) {
    this.context = context;
    this.page = page;
    page.on("pageerror", (error) => this.errors.push(String(error.stack ?? error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(message.text());
    });
    context.on("request", (request) => this.requests.push(request.url()));
  }

  /** Keeps a picture of the page. */
  async shot(name: string): Promise<void> {
    mkdirSync(SHOTS, { recursive: true });
    await this.page.screenshot({ path: join(SHOTS, `${name}.png`), animations: "disabled" });
  }

  /** Signs in through the form, which must be what is shown. */
  async signIn(token: string, keep = false): Promise<void> {
    await this.page.getByLabel("Token", { exact: true }).fill(token);
    if (keep) await this.page.getByLabel("Stay signed in on this browser").check();
    await this.page.getByRole("button", { name: "Sign in" }).click();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.context.close();
  }
}
