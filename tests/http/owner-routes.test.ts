import { existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, setDefaultTimeout } from "bun:test";
import { attach } from "../support/attach-client.ts";
import { BEARER, TOKEN, testGateway } from "../support/gateway.ts";
import { until } from "../support/until.ts";
import { githubDelivery, send, SOURCES } from "../support/webhook-sender.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

const PROXIED = { server: { trustedProxies: ["127.0.0.1"] } };
const from = (address: string) => ({ "X-Forwarded-For": address });

async function lock(url: string, address: string): Promise<void> {
  for (let i = 0; i < 10; i++) await fetch(`${url}/api/status`, { headers: from(address) });
}

describe("lock-outs", () => {
  test("are listed with their rest, and lifted one by one", async () => {
    await using gateway = testGateway({ config: PROXIED });
    const list = async () =>
      (
        (await (await fetch(`${gateway.url}/api/lockouts`, { headers: BEARER })).json()) as {
          lockouts: { address: string }[];
        }
      ).lockouts;
    expect(await list()).toEqual([]);
    for (const address of ["192.0.2.1", "2001:db8::1", "junk"]) await lock(gateway.url, address);
    expect(await list()).toEqual(
      ["192.0.2.1", "2001:db8::/64", "unknown"].map(
        (address) => ({ address, retryAfterSeconds: expect.any(Number) }) as never,
      ),
    );
    const lift = (address: string) =>
      fetch(`${gateway.url}/api/lockouts/${encodeURIComponent(address)}`, {
        method: "DELETE",
        headers: BEARER,
      });
    expect((await lift("192.0.2.2")).status).toBe(404);
    expect((await lift("nobody")).status).toBe(400);
    expect((await lift("../x")).status).toBe(400);
    expect((await lift("::ffff:192.0.2.1")).status).toBe(204);
    // Any address of the network stands for it.
    expect((await lift("2001:db8::ffff")).status).toBe(204);
    expect((await list()).map(({ address }) => address)).toEqual(["unknown"]);
    expect((await lift("unknown")).status).toBe(204);
    expect(
      (await fetch(`${gateway.url}/api/status`, { headers: { ...BEARER, ...from("192.0.2.1") } }))
        .status,
    ).toBe(200);
    expect(gateway.logged("lockout_end").map(({ reason }) => reason)).toEqual([
      "lifted",
      "lifted",
      "lifted",
    ]);
    expect(gateway.audited.filter(({ event }) => event === "lockout_lifted")).toMatchObject([
      { token: "owner", address: "127.0.0.1", lifted: "192.0.2.1" },
      { lifted: "2001:db8::/64" },
      { lifted: "unknown" },
    ]);
  });

  test("the network as it is listed can be named in the path", async () => {
    await using gateway = testGateway({ config: PROXIED });
    await lock(gateway.url, "2001:db8::1");
    for (const path of ["2001:db8::%2F64", "2001:db8::"]) {
      const { status } = await fetch(`${gateway.url}/api/lockouts/${path}`, {
        method: "DELETE",
        headers: BEARER,
      });
      expect([path, status]).toEqual([path, path.includes("%2F") ? 204 : 404]);
    }
  });
});

describe("GET /api/metrics", () => {
  /** Values by name and labels. */
  const scrape = async (url: string) => {
    const response = await fetch(`${url}/api/metrics`, { headers: BEARER });
    expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
    const text = await response.text();
    const values = new Map<string, number>();
    for (const line of text.split("\n")) {
      if (line === "" || line.startsWith("#")) continue;
      const [, name, value] = /^([a-z_]+(?:\{[^}]*\})?) (\S+)$/.exec(line) as RegExpExecArray;
      values.set(name as string, Number(value));
    }
    return { text, values };
  };

  test("counts what happened, with labels that nobody outside can add to", async () => {
    await using gateway = testGateway({
      config: { ...PROXIED, webhooks: { perSource: 1, sources: SOURCES } },
      prepare: (dir) => {
        mkdirSync(join(dir, "vault", "deep"), { recursive: true });
        writeFileSync(join(dir, "vault", "deep", "a.md"), "x".repeat(1000));
        writeFileSync(join(dir, "outside"), "x".repeat(5000));
        symlinkSync(join(dir, "outside"), join(dir, "vault", "link"));
        symlinkSync(dir, join(dir, "vault", "loop"));
      },
    });
    await using client = await attach(gateway.attachUrl, TOKEN);
    await lock(gateway.url, "192.0.2.1");
    await fetch(`${gateway.url}/api/nowhere-${crypto.randomUUID()}`, { headers: BEARER });
    await fetch(`${gateway.url}/nowhere`, { method: "BREW" });
    await fetch(`${gateway.url}/api/files/deep/a.md`, { headers: BEARER });
    expect((await send(gateway.url, githubDelivery('{"a":1}'))).status).toBe(202);
    expect((await send(gateway.url, githubDelivery('{"a":1}'))).status).toBe(202);
    expect((await send(gateway.url, githubDelivery('{"a":2}'))).status).toBe(429);
    expect((await send(gateway.url, githubDelivery("no"))).status).toBe(400);
    expect((await send(gateway.url, { ...githubDelivery("{}"), body: "{ }" })).status).toBe(401);
    await until("the vault is measured", async () =>
      (await scrape(gateway.url)).values.has("nest_vault_bytes"),
    );
    const { text, values } = await scrape(gateway.url);
    const value = (name: string) => values.get(name);
    expect(value('nest_http_requests_total{route="/api/status",status="401"}')).toBe(10);
    expect(value('nest_http_requests_total{route="other",status="404"}')).toBe(2);
    expect(value('nest_http_requests_total{route="/api/files/:path",status="200"}')).toBe(1);
    expect(value('nest_http_requests_total{route="/attach",status="101"}')).toBe(1);
    expect(value('nest_http_requests_total{route="/api/webhook/:source",status="202"}')).toBe(2);
    expect(value("nest_auth_failures_total")).toBe(11);
    expect(value("nest_lockouts_total")).toBe(1);
    expect(value("nest_locked_addresses")).toBe(1);
    expect(value("nest_sockets")).toBe(1);
    expect(value("nest_sessions")).toBe(1);
    expect(value("nest_agent_exits_total")).toBe(0);
    for (const [outcome, count] of Object.entries({
      accepted: 1,
      replayed: 1,
      limited: 1,
      invalid: 1,
      unauthorized: 1,
      full: 0,
    }))
      expect([outcome, value(`nest_webhooks_total{outcome="${outcome}"}`)]).toEqual([
        outcome,
        count,
      ]);
    expect(value("nest_vault_bytes")).toBe(1000);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(value('nest_event_loop_lag_seconds_bucket{le="+Inf"}')).toBe(
      value("nest_event_loop_lag_seconds_count") as number,
    );
    expect(text).not.toContain("nowhere");
    expect(text).not.toContain("192.0.2.1");
    expect(client.close).toBeUndefined();
  });
});

describe("the security log", () => {
  test("tells who did what from where: tokens, prompts by length, webhooks; never a word of it", async () => {
    await using gateway = testGateway({
      config: {
        webhooks: { sources: SOURCES },
        server: { tokens: [{ name: "phone", token: `phone-${TOKEN}`, scopes: ["attach"] }] },
      },
    });
    await using client = await attach(gateway.attachUrl, `phone-${TOKEN}`);
    client.send({ id: 1, type: "prompt", message: "@say a very private thing", key: "k" });
    client.send({ id: 2, type: "bash", command: "echo private" });
    client.send({ id: 3, type: "get_state" });
    await client.reply(3);
    for (let i = 0; i < 3; i++)
      await fetch(`${gateway.url}/api/status?private=1`, { headers: BEARER });
    await send(gateway.url, githubDelivery('{"action":"private"}'));
    await fetch(`${gateway.url}/api/status`, {
      headers: { Authorization: "Bearer private-guess" },
    });
    const told = gateway.audited.map(({ time: _, request: __, ...line }) => line);
    expect(told).toEqual([
      {
        event: "authenticated",
        token: "phone",
        address: "127.0.0.1",
        route: "/attach",
        session: "default",
      },
      { event: "prompt", token: "phone", address: "127.0.0.1", session: "default", length: 25 },
      {
        event: "command",
        token: "phone",
        address: "127.0.0.1",
        session: "default",
        command: "bash",
        length: 12,
      },
      { event: "authenticated", token: "owner", address: "127.0.0.1", route: "GET /api/status" },
      {
        event: "webhook",
        outcome: "accepted",
        source: "github",
        address: "127.0.0.1",
        session: "default",
        id: expect.any(String),
        length: 20,
      } as never,
      {
        event: "auth_failed",
        address: "127.0.0.1",
        route: "GET /api/status",
        reason: "wrong_credentials",
      },
    ]);
    const all = JSON.stringify(gateway.audited);
    for (const secret of ["private", TOKEN]) expect(all).not.toContain(secret);
  });

  test("tells of a token that a reload gave other rights or another date, not just another secret", async () => {
    const token = (fields: object) => ({
      server: {
        tokens: [{ name: "phone", token: `phone-${TOKEN}`, scopes: ["prompt"], ...fields }],
      },
    });
    await using gateway = testGateway({ config: token({}) });
    for (const fields of [
      {},
      { scopes: ["prompt", "admin"] },
      { scopes: ["admin", "prompt"] },
      { scopes: ["admin", "prompt"], expires: "2099-01-01" },
    ])
      gateway.reconfigure(token(fields));
    expect(gateway.audited.filter(({ event }) => event === "token_rotated")).toMatchObject([
      { token: "phone", reason: "changed" },
      { token: "phone", reason: "changed" },
    ]);
  });

  test("tells of writes, moves and deletes, and of what was tried", async () => {
    const scopes = ["vault:read", "vault:write"];
    await using gateway = testGateway({
      config: { server: { tokens: [{ name: "sync", token: `sync-${TOKEN}`, scopes }] } },
      prepare: (dir) => {
        mkdirSync(join(dir, "vault", ".git"), { recursive: true });
        mkdirSync(join(dir, "vault", "project", "deep", ".git"), { recursive: true });
        mkdirSync(join(dir, "vault", "plain", "deep"), { recursive: true });
        writeFileSync(join(dir, "vault", "plain", "deep", "a.md"), "a");
        symlinkSync(".git", join(dir, "vault", "notes"));
      },
    });
    const as = (name: string) => ({
      Authorization: `Bearer ${name === "owner" ? "" : `${name}-`}${TOKEN}`,
    });
    const put = (path: string, name = "sync") =>
      fetch(`${gateway.url}/api/files/${path}`, {
        method: "PUT",
        headers: as(name),
        body: "private",
      });
    expect((await put("a.md")).status).toBe(201);
    const move = (source: string, to: string) =>
      fetch(`${gateway.url}/api/move`, {
        method: "POST",
        headers: { ...as("sync"), "Content-Type": "application/json" },
        body: JSON.stringify({ from: source, to }),
      });
    expect((await move("a.md", "b.md")).status).toBe(200);
    for (const path of [
      ".pi/extensions/x.ts",
      ".git/hooks/pre-commit",
      ".GIT/config",
      ".env",
      "notes/config",
      "sub/.env.local",
    ]) {
      const response = await put(path);
      expect([path, response.status, ((await response.json()) as { code: string }).code]).toEqual([
        path,
        403,
        "protected_path",
      ]);
      expect([path, (await move("b.md", path)).status]).toEqual([path, 403]);
    }
    expect(
      (await fetch(`${gateway.url}/api/files/notes`, { method: "DELETE", headers: as("sync") }))
        .status,
    ).toBeOneOf([204, 403]);
    expect(
      (
        await fetch(`${gateway.url}/api/files/.git?recursive=true`, {
          method: "DELETE",
          headers: as("sync"),
        })
      ).status,
    ).toBe(403);
    // Whoever takes a folder takes what is in it.
    for (const path of ["project", "project/deep", "project/deep/"])
      expect([path, (await move(path, "elsewhere")).status]).toEqual([path, 403]);
    for (const [path, status] of [
      ["project", 403],
      ["project/deep", 403],
      ["plain2", 204],
    ] as const) {
      if (status === 204) expect((await move("plain", "plain2")).status).toBe(200);
      const gone = await fetch(`${gateway.url}/api/files/${path}?recursive=true&permanent=true`, {
        method: "DELETE",
        headers: as("sync"),
      });
      expect([path, gone.status]).toEqual([path, status]);
    }
    expect(existsSync(join(gateway.dir, "vault", "project", "deep", ".git"))).toBe(true);
    expect((await put(".git/config", "owner")).status).toBe(201);
    expect(
      (await fetch(`${gateway.url}/api/files/b.md`, { method: "DELETE", headers: as("sync") }))
        .status,
    ).toBe(204);
    const told = gateway.audited.filter(({ event }) => String(event).startsWith("vault_"));
    expect(told).toContainEqual(
      expect.objectContaining({
        event: "vault_write",
        token: "sync",
        address: "127.0.0.1",
        path: "a.md",
        bytes: 7,
      }),
    );
    expect(told).toContainEqual(
      expect.objectContaining({ event: "vault_move", token: "sync", from: "a.md", to: "b.md" }),
    );
    expect(told).toContainEqual(
      expect.objectContaining({
        event: "vault_violation",
        token: "sync",
        reason: "protected_path",
        path: ".env",
      }),
    );
    expect(told).toContainEqual(
      expect.objectContaining({ event: "vault_write", token: "owner", path: ".git/config" }),
    );
    expect(told).toContainEqual(
      expect.objectContaining({ event: "vault_delete", token: "sync", path: "b.md" }),
    );
    expect(JSON.stringify(gateway.audited)).not.toContain("private");
  });
});
