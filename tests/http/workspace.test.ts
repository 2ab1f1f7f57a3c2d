import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, test } from "bun:test";
import { bundleWorkspace } from "../../src/cli/bundle-workspace.ts";
import { RawConnection } from "../support/raw-http.ts";
import { testGateway } from "../support/gateway.ts";

/** Compressed script and style before the first picture, bytes: the limit is 120 KiB for the script alone. */
const MAX_FIRST_LOAD = 120 * 1024;

function assets(shell: string): string[] {
  return [...shell.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, path]) => path as string);
}

describe("workspace", () => {
  test("the page is the same for its address and every deep link, its own files found from each", async () => {
    await using nest = testGateway();
    for (const path of [
      "/",
      "/s/default",
      "/v",
      "/v/a/b/c.md",
      "/v/a%2Fb.md",
      "/search",
      "/more",
    ]) {
      const url = nest.url + path;
      const response = await fetch(url);
      expect([path, response.status]).toEqual([path, 200]);
      expect(response.headers.get("Content-Type")).toBe("text/html; charset=utf-8");
      const found = assets(await response.text());
      expect(found.length).toBeGreaterThan(4);
      for (const asset of found) {
        expect(asset).toMatch(/^(?:\.\/|(?:\.\.\/)+)/);
        expect([path, asset, (await fetch(new URL(asset, url))).status]).toEqual([
          path,
          asset,
          200,
        ]);
      }
    }
  });

  test("the page may run its own scripts and nothing else", async () => {
    await using nest = testGateway();
    const { headers } = await fetch(nest.url);
    const policy = headers.get("Content-Security-Policy") ?? "";
    for (const rule of [
      "default-src 'none'",
      "script-src 'self'",
      "connect-src 'self'",
      "base-uri 'none'",
      "form-action 'self'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ]) {
      expect(policy.split("; ")).toContain(rule);
    }
    expect(policy).not.toMatch(/unsafe|data:|https?:|\*/);
    expect(headers.get("Cross-Origin-Opener-Policy")).toBe("same-origin");
  });

  test("assets are kept for ever, compressed as asked for, and known again by their tags", async () => {
    await using nest = testGateway();
    const script = assets(await (await fetch(nest.url)).text()).find((path) =>
      path.endsWith(".js"),
    );
    const url = new URL(script as string, nest.url);
    const get = (headers: Record<string, string>) =>
      fetch(url, { headers, decompress: false } as RequestInit);
    const plain = await get({ "Accept-Encoding": "identity" });
    const brotli = await get({ "Accept-Encoding": "gzip, deflate, br, zstd" });
    const gzip = await get({ "Accept-Encoding": "gzip, br;q=0" });
    expect(plain.headers.get("Content-Encoding")).toBeNull();
    expect(brotli.headers.get("Content-Encoding")).toBe("br");
    expect(gzip.headers.get("Content-Encoding")).toBe("gzip");
    const text = await plain.text();
    expect(brotliDecompressSync(await brotli.arrayBuffer()).toString()).toBe(text);
    expect(gunzipSync(await gzip.arrayBuffer()).toString()).toBe(text);
    expect(brotli.headers.get("Cache-Control")).toBe("public, max-age=31536000, immutable");
    expect(brotli.headers.get("Vary")).toBe("Accept-Encoding");
    const tag = brotli.headers.get("ETag") ?? "";
    const again = await get({ "Accept-Encoding": "br", "If-None-Match": `"x", ${tag}` });
    expect([again.status, (await again.bytes()).length]).toEqual([304, 0]);
    const page = await fetch(nest.url);
    const same = await fetch(nest.url, {
      headers: { "If-None-Match": page.headers.get("ETag") ?? "" },
    });
    expect(same.status).toBe(304);
    // A representation of its own each.
    expect((await get({ "Accept-Encoding": "gzip", "If-None-Match": tag })).status).toBe(200);
  });

  test.each([
    "/assets/main.js",
    "/assets/..%2fshell.html",
    "/assets/%2e%2e/shell.html",
    "/shell.html",
    "/main.tsx",
    "/assets/",
    "/__proto__",
    "/assets/constructor",
    "/s/",
    "/s/a/b",
  ])("%s is no file of the workspace: 404", async (path) => {
    await using nest = testGateway();
    using connection = new RawConnection(nest.port);
    connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
    expect((await connection.response()).status).toBe(404);
  });

  test("the first load stays under 120 KiB, compressed", async () => {
    const { files, shell } = await bundleWorkspace({ brotliQuality: 11 });
    const first = assets(shell)
      .map((path) => files.get(path.replace("{{base}}", "")))
      .filter((file) => file !== undefined && /\.(?:js|css)$/.test(file.path));
    expect(first).toHaveLength(2);
    const bytes = first.reduce((sum, file) => sum + (file?.brotli?.length ?? 0), 0);
    expect(bytes).toBeGreaterThan(1000);
    expect(bytes).toBeLessThan(MAX_FIRST_LOAD);
  });
});
