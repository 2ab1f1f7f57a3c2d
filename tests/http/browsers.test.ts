import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { attach } from "../support/attach-client.ts";
import { BEARER, testGateway, TOKEN } from "../support/gateway.ts";

interface Issued {
  readonly id: string;
  readonly token: string;
  readonly expires: string;
}

async function exchange(url: string, body: unknown, token = TOKEN): Promise<Response> {
  return fetch(`${url}/api/browsers`, {
    method: "POST",
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
}

async function list(url: string, token: string): Promise<Record<string, unknown>[]> {
  const response = await fetch(`${url}/api/browsers`, {
    headers: { Authorization: `Bearer ${token}` },
  });
  return ((await response.json()) as { browsers: Record<string, unknown>[] }).browsers;
}

describe("/api/browsers", () => {
  test("exchanges the owner's token for another that works, is listed, and is nowhere in clear", async () => {
    await using nest = testGateway();
    const response = await exchange(nest.url, { name: "Phone\u202e\n", keep: true });
    expect(response.status).toBe(201);
    const { id, token } = (await response.json()) as Issued;
    expect(token).toMatch(/^nest_[\w-]{43}$/);
    expect(await list(nest.url, token)).toMatchObject([{ id, name: "Phone", own: true }]);
    expect(await list(nest.url, TOKEN)).toMatchObject([{ id, own: false }]);
    const file = join(nest.dir, "sessions", "browsers.json");
    expect(existsSync(file)).toBe(true);
    expect(readFileSync(file, "utf8") + JSON.stringify(nest.lines)).not.toContain(token);
  });

  test("a browser's token can't be exchanged again, so a stolen one ends with its date", async () => {
    await using nest = testGateway();
    const { token } = (await (await exchange(nest.url, {})).json()) as Issued;
    const again = await exchange(nest.url, {}, token);
    expect(again.status).toBe(403);
    expect(await again.json()).toMatchObject({ code: "browser_token" });
  });

  test.each([
    { name: "no JSON", body: "{", status: 400 },
    { name: "a name that is no text", body: { name: 1 }, status: 400 },
    { name: "keep that is no truth value", body: { keep: "yes" }, status: 400 },
    { name: "null", body: "null", status: 201 },
    { name: "more than 4 KiB", body: { name: "x".repeat(5000) }, status: 413 },
  ])("$name: $status", async ({ body, status }) => {
    await using nest = testGateway();
    expect((await exchange(nest.url, body)).status).toBe(status);
  });

  test("a token for webhooks gets no browser", async () => {
    const hook = "nest_hook-token-0123456789abcdefghijklmnop";
    await using nest = testGateway({
      config: { server: { tokens: [{ name: "hook", token: hook, scopes: ["webhook"] }] } },
    });
    expect((await exchange(nest.url, {}, hook)).status).toBe(403);
  });

  test("revoking closes its sockets at once, with 4003, and no others", async () => {
    await using nest = testGateway();
    const { id, token } = (await (await exchange(nest.url, { name: "a" })).json()) as Issued;
    const other = (await (await exchange(nest.url, { name: "b" })).json()) as Issued;
    await using gone = await attach(nest.attachUrl, token);
    await using stays = await attach(nest.attachUrl, other.token);
    const response = await fetch(`${nest.url}/api/browsers/${id}`, {
      method: "DELETE",
      headers: BEARER,
    });
    expect(response.status).toBe(204);
    expect(nest.audited.find(({ event }) => event === "browser_revoked")).toMatchObject({
      token: "owner",
      browser: id,
      address: "127.0.0.1",
    });
    expect((await gone.closed()).code).toBe(4003);
    expect(stays.close).toBeUndefined();
    expect((await exchange(nest.url, {}, token)).status).toBe(401);
    const twice = await fetch(`${nest.url}/api/browsers/${id}`, {
      method: "DELETE",
      headers: BEARER,
    });
    expect(twice.status).toBe(404);
  });

  test("a rotated owner token takes its browsers with it, sockets included", async () => {
    await using nest = testGateway();
    const { token } = (await (await exchange(nest.url, {})).json()) as Issued;
    await using client = await attach(nest.attachUrl, token);
    nest.reconfigure({ log: { level: "info" } });
    expect((await list(nest.url, token)).length).toBe(1);
    nest.reconfigure({ server: { token: "nest_another-token-0123456789abcdefghijklmno" } });
    expect((await client.closed()).code).toBe(4003);
  });
});
