import { afterAll, beforeAll, describe, setDefaultTimeout } from "bun:test";
import { hasChromium, TestBrowser } from "./chromium.ts";

/** One Chromium for a file of tests; each page has a profile of its own. */
export function withBrowser(name: string, tests: (browser: () => TestBrowser) => void): void {
  // A test that runs out of time takes the browser of all others with it: Bun ends its child processes.
  setDefaultTimeout(90_000);
  const title = hasChromium ? name : `${name} (skipped: no Chromium here; NEST_CHROMIUM names one)`;
  describe.skipIf(!hasChromium)(title, () => {
    let browser: TestBrowser;
    beforeAll(async () => {
      browser = await TestBrowser.start();
    });
    afterAll(() => browser[Symbol.asyncDispose]());
    tests(() => browser);
  });
}
