import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { BEARER, testGateway } from "../support/gateway.ts";

// Waits for what comes, however slow the machine.
setDefaultTimeout(60_000);

describe("GET /api/search", () => {
  test("finds names and lines, within the vault and the token's scope", async () => {
    const prompting = "a-token-that-may-only-prompt-0123456789abc";
    await using gateway = testGateway({
      config: {
        server: { tokens: [{ name: "talker", token: prompting, scopes: ["prompt"] }] },
      },
    });
    const vault = join(gateway.dir, "vault");
    mkdirSync(join(vault, "needles"), { recursive: true });
    writeFileSync(join(vault, "needles", "a.md"), "one\na Needle & more\n");
    writeFileSync(join(gateway.dir, "outside.md"), "needle");
    symlinkSync(gateway.dir, join(vault, "link"));
    const get = (query: string, headers: Record<string, string> = BEARER) =>
      fetch(`${gateway.url}/api/search${query}`, { headers });

    const found = await get(`?q=${encodeURIComponent("needle")}`);
    expect(found.status).toBe(200);
    expect(await found.json()).toEqual({
      matches: [
        { path: "needles", line: 0, text: "needles" },
        { path: "needles/a.md", line: 2, text: "a Needle & more" },
      ],
    });
    expect(await (await get("?q=needle&limit=1")).json()).toEqual({
      matches: [{ path: "needles", line: 0, text: "needles" }],
      truncated: true,
    });
    expect(await (await get("?q=%26%20more")).json()).toMatchObject({ matches: [{ line: 2 }] });

    for (const [query, status, code] of [
      ["", 400, "bad_query"],
      ["?q=", 400, "bad_query"],
      [`?q=${"x".repeat(257)}`, 400, "bad_query"],
      ["?q=a%0Ab", 400, "bad_query"],
      ["?q=x&limit=0", 400, "bad_query"],
      ["?q=x&limit=1001", 400, "bad_query"],
      ["?q=x&limit=ten", 400, "bad_request"],
    ] as const) {
      const response = await get(query);
      expect([query, response.status, await response.json()]).toEqual([
        query,
        status,
        expect.objectContaining({ code }),
      ]);
    }
    expect((await get("?q=needle", {})).status).toBe(401);
    expect((await get("?q=needle", { Authorization: `Bearer ${prompting}` })).status).toBe(403);
  });

  test("a client that goes ends its search, and nothing is logged as an error", async () => {
    await using gateway = testGateway();
    const vault = join(gateway.dir, "vault");
    for (let i = 0; i < 500; i++) writeFileSync(join(vault, `${i}.md`), "text\n".repeat(500));
    for (let i = 0; i < 20; i++) {
      const controller = new AbortController();
      const asking = fetch(`${gateway.url}/api/search?q=nothing-like-it`, {
        headers: BEARER,
        signal: controller.signal,
      });
      setTimeout(() => controller.abort(), i);
      await asking.catch(() => {});
    }
    // Had they gone on, the places would be taken.
    expect((await fetch(`${gateway.url}/api/search?q=text`, { headers: BEARER })).status).toBe(200);
    expect(gateway.logged("request_failed")).toEqual([]);
  });
});
