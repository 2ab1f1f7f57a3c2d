import { expect } from "bun:test";
import type { TestPage } from "./chromium.ts";

/** Where a request that got out would go: nobody listens there, and asking is enough to fail. */
export const EVIL = "http://evil.test";

/** Everything that has ever run a script or fetched something from a text that should not have. */
export const PAYLOADS = [
  `<script>window.__ran=1</script>`,
  `<img src=x onerror="window.__ran=2">`,
  `<img src="${EVIL}/img.png">`,
  `<svg onload="window.__ran=3"><script>window.__ran=4</script></svg>`,
  `<svg><animate onbegin="window.__ran=5" attributeName=x dur=1s>`,
  `<math><mtext></mtext><mglyph><style><img src=x onerror="window.__ran=6">`,
  `<iframe src="javascript:parent.__ran=7"></iframe>`,
  `<iframe srcdoc="<script>parent.__ran=8</script>"></iframe>`,
  `<object data="${EVIL}/o"></object><embed src="${EVIL}/e">`,
  `<link rel=stylesheet href="${EVIL}/s.css"><style>@import "${EVIL}/i.css";</style>`,
  `<meta http-equiv=refresh content="0;url=${EVIL}/r">`,
  `<base href="${EVIL}/">`,
  `<form action="${EVIL}/f"><button autofocus>go</button></form>`,
  `<details open ontoggle="window.__ran=9">`,
  `<video autoplay src="${EVIL}/v" onerror="window.__ran=10"></video>`,
  `<a href="javascript:window.__ran=11">click</a>`,
  `[a](javascript:window.__ran=12)`,
  `[a](JaVa&#115;cript:window.__ran=13)`,
  `[a](&#x6A;avascript:window.__ran=14)`,
  `[a](data:text/html,<script>opener.__ran=15</script>)`,
  `[a](vbscript:x)`,
  `[a]( \tjavascript:window.__ran=16)`,
  `<javascript:window.__ran=17>`,
  `![a](${EVIL}/m.png)`,
  `![a](javascript:window.__ran=18)`,
  `![a](data:image/svg+xml,<svg/onload=window.__ran=19>)`,
  `[ref][r]\n\n[r]: javascript:window.__ran=20`,
  `[a](${EVIL}/ping "t\\" onmouseover=\\"window.__ran=21")`,
  "```js\n</code></pre><script>window.__ran=22</script>\n```",
  '```"><img src=x onerror=window.__ran=23>\ncode\n```',
  "`</code><img src=x onerror=window.__ran=24>`",
  `| <img src=x onerror=window.__ran=25> | b |\n|---|---|\n| [a](javascript:window.__ran=26) | c |`,
  `# <img src=x onerror=window.__ran=27>`,
  `- [ ] <input autofocus onfocus="window.__ran=28">`,
  `&lt;img src=x onerror=window.__ran=29&gt;`,
  `{{constructor.constructor('window.__ran=30')()}}`,
  `\${window.__ran=31}`,
  `<noscript><p title="</noscript><img src=x onerror=window.__ran=32>">`,
  `<template><img src=x onerror=window.__ran=33></template>`,
  `<x-a onfocus=window.__ran=34 tabindex=0 autofocus>`,
  `\u202egnp.exe <b onmouseover=window.__ran=35>`,
];

/** Nothing ran, nothing was asked for but what is our own, and nothing was clickable that leads to a script. */
export async function expectHarmless(
  { page, requests, errors }: TestPage,
  url: string,
): Promise<void> {
  expect(await page.evaluate(() => (window as { __ran?: unknown }).__ran)).toBeUndefined();
  const origins = [...new Set(requests.map((request) => new URL(request).origin))];
  expect(origins).toEqual([new URL(url).origin]);
  const found = await page.evaluate(() => ({
    tags: [
      ...document.querySelectorAll(
        "#app script, #app iframe, #app object, #app embed, #app link, #app style, #app base, #app meta, #app video, #app template, #app noscript, #app math",
      ),
    ].map((element) => element.outerHTML),
    handlers: [...document.querySelectorAll("#app *")].flatMap((element) =>
      element.getAttributeNames().filter((name) => name.startsWith("on")),
    ),
    links: [...document.querySelectorAll("#app a")].map((link) => (link as HTMLAnchorElement).href),
    pictures: [...document.querySelectorAll("#app img")].map(
      (img) => (img as HTMLImageElement).src,
    ),
  }));
  expect(found.tags).toEqual([]);
  expect(found.handlers).toEqual([]);
  expect(found.pictures.filter((src) => !src.startsWith("blob:"))).toEqual([]);
  for (const link of found.links) expect(link).toMatch(/^(?:https?|mailto):/);
  expect(errors.filter((text) => /Content Security Policy|Trusted/.test(text))).toEqual([]);
}
