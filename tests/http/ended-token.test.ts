import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { testGateway } from "../support/gateway.ts";
import { RawConnection } from "../support/raw-http.ts";
import { until } from "../support/until.ts";

const LENT = "nest_lent-token-0123456789abcdefghijklmnopqrs";
const token = (scopes: readonly string[]) => ({
  server: { tokens: [{ name: "lent", token: LENT, scopes }] },
});

/**
 * A body may take hours to arrive. A token was looked at when its request began: whoever held one back could write long
 * after it had been revoked.
 */
describe("a token that ends while the body is on its way", () => {
  test.each([
    { name: "writes nothing", method: "PUT", path: "/api/files/late.md", body: "0123456789" },
    {
      name: "moves nothing",
      method: "POST",
      path: "/api/move",
      body: JSON.stringify({ from: "folder", to: "late.md" }),
    },
    { name: "gets no browser's token", method: "POST", path: "/api/browsers", body: "{}" },
    {
      name: "wakes no agent",
      method: "POST",
      path: "/api/webhook",
      body: JSON.stringify({ message: "late" }),
    },
  ])("$name", async ({ method, path, body }) => {
    await using nest = testGateway({ config: token(["vault:write", "webhook", "attach"]) });
    mkdirSync(join(nest.dir, "vault", "folder"), { recursive: true });
    using sender = new RawConnection(nest.port);
    sender.write(
      `${method} ${path} HTTP/1.1\r\nHost: ${nest.host}\r\nAuthorization: Bearer ${LENT}\r\n` +
        `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 1)}`,
    );
    await until("the request has been let in", () =>
      nest.audited.find(({ event, token: name }) => event === "authenticated" && name === "lent"),
    );
    nest.reconfigure({});
    sender.write(body.slice(1));
    const answer = await sender.response();
    expect(answer.status).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe("Bearer");
    expect(JSON.parse(answer.body)).toMatchObject({ code: "unauthorized" });
    expect(existsSync(join(nest.dir, "vault", "late.md"))).toBe(false);
    expect(readdirSync(join(nest.dir, "vault"))).toContain("folder");
    expect(nest.audited.some(({ event }) => event === "browser_added")).toBe(false);
  });

  test("has the scopes that it has by then", async () => {
    await using nest = testGateway({ config: token(["vault:write"]) });
    using sender = new RawConnection(nest.port);
    sender.write(
      `PUT /api/files/late.md HTTP/1.1\r\nHost: ${nest.host}\r\nAuthorization: Bearer ${LENT}\r\nContent-Length: 2\r\n\r\n0`,
    );
    await until("the request has been let in", () =>
      nest.audited.find(({ event, token: name }) => event === "authenticated" && name === "lent"),
    );
    nest.reconfigure(token(["vault:read"]));
    sender.write("1");
    expect((await sender.response()).status).toBe(403);
    expect(existsSync(join(nest.dir, "vault", "late.md"))).toBe(false);
  });
});
