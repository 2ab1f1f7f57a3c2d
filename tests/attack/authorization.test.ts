import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { TOKEN, type TestGateway, testGateway } from "../support/gateway.ts";
import { rawRequest } from "../support/raw-http.ts";

/** Header lines that carry the right token in a wrong form, or none. Beside each: what a careless server does with it. */
const MALFORMED = [
  { name: "no header", lines: [] },
  { name: "empty", lines: ["Authorization:"] },
  { name: "scheme alone", lines: ["Authorization: Bearer"] },
  { name: "scheme and space alone", lines: ["Authorization: Bearer "] },
  { name: "no scheme", lines: [`Authorization: ${TOKEN}`] },
  { name: "no space", lines: [`Authorization: Bearer${TOKEN}`] },
  { name: "Basic", lines: [`Authorization: Basic ${btoa(`x:${TOKEN}`)}`] },
  { name: "Token", lines: [`Authorization: Token ${TOKEN}`] },
  { name: "two spaces", lines: [`Authorization: Bearer  ${TOKEN}`] },
  { name: "tab", lines: [`Authorization: Bearer\t${TOKEN}`] },
  { name: "no-break space", lines: [`Authorization: Bearer\xa0${TOKEN}`] },
  { name: "trailing comma", lines: [`Authorization: Bearer ${TOKEN},`] },
  { name: "parameters", lines: [`Authorization: Bearer ${TOKEN}; realm=x`] },
  { name: "token68 padding", lines: [`Authorization: Bearer ${TOKEN}=`] },
  { name: "quoted", lines: [`Authorization: Bearer "${TOKEN}"`] },
  {
    name: "two right headers",
    lines: [`Authorization: Bearer ${TOKEN}`, `Authorization: Bearer ${TOKEN}`],
  },
  { name: "right and wrong", lines: [`Authorization: Bearer ${TOKEN}`, "Authorization: Bearer x"] },
  { name: "right and empty", lines: [`Authorization: Bearer ${TOKEN}`, "Authorization:"] },
  { name: "empty and right", lines: ["Authorization:", `Authorization: Bearer ${TOKEN}`] },
  { name: "two in one", lines: [`Authorization: Bearer ${TOKEN}, Bearer ${TOKEN}`] },
  { name: "non-ASCII bytes", lines: ["Authorization: Bearer \xe9\xff\xfe"] },
  { name: "right with a non-ASCII byte behind", lines: [`Authorization: Bearer ${TOKEN}\xff`] },
  { name: "one byte short", lines: [`Authorization: Bearer ${TOKEN.slice(0, -1)}`] },
  { name: "one byte more", lines: [`Authorization: Bearer ${TOKEN}x`] },
  { name: "upper case", lines: [`Authorization: Bearer ${TOKEN.toUpperCase()}`] },
  { name: "8,000 bytes", lines: [`Authorization: Bearer ${"x".repeat(8000)}`] },
  {
    name: "its SHA-256",
    lines: [`Authorization: Bearer ${new Bun.CryptoHasher("sha256").update(TOKEN).digest("hex")}`],
  },
  { name: "undefined", lines: ["Authorization: Bearer undefined"] },
  { name: "null", lines: ["Authorization: Bearer null"] },
  { name: "Proxy-Authorization", lines: [`Proxy-Authorization: Bearer ${TOKEN}`] },
  { name: "X-Api-Key", lines: [`X-Api-Key: ${TOKEN}`] },
  { name: "cookie", lines: [`Cookie: token=${TOKEN}; Authorization=Bearer ${TOKEN}`] },
  { name: "subprotocol", lines: [`Sec-WebSocket-Protocol: ${TOKEN}`] },
];

describe("Authorization", () => {
  let gateway: TestGateway;
  // Every row must reach the comparison, so none may be locked out.
  beforeAll(
    () => (gateway = testGateway({ config: { server: { rateLimit: { maxFailures: 1000 } } } })),
  );
  afterAll(() => gateway[Symbol.asyncDispose]());

  const get = (path: string, lines: readonly string[]) =>
    rawRequest(
      gateway.port,
      ["GET " + path + " HTTP/1.1", `Host: ${gateway.host}`, ...lines, "", ""].join("\r\n"),
    );

  test.each(MALFORMED)(
    "$name: 401, with the remembered right one just before",
    async ({ lines }) => {
      for (const path of ["/api/status", "/attach", "/api/nowhere"]) {
        // The accepted header is remembered: what comes next must not profit from it.
        expect((await get("/api/status", [`Authorization: Bearer ${TOKEN}`])).status).toBe(200);
        const { status, headers, body } = await get(path, lines);
        expect([path, status, headers["www-authenticate"]]).toEqual([path, 401, "Bearer"]);
        expect(JSON.parse(body)).toMatchObject({ code: "unauthorized" });
        expect(body).not.toContain(TOKEN);
      }
    },
  );

  test.each(["Bearer", "bearer", "BEARER", "bEaReR"])(
    "the scheme %s is the same in any case",
    async (scheme) => {
      expect((await get("/api/status", [`Authorization: ${scheme} ${TOKEN}`])).status).toBe(200);
      expect((await get("/api/status", [`AUTHORIZATION: ${scheme} ${TOKEN}`])).status).toBe(200);
    },
  );

  test("a token in the URL is no token, and nothing of a query string is logged", async () => {
    for (const query of [
      `token=${TOKEN}`,
      `access_token=${TOKEN}`,
      `Authorization=Bearer%20${TOKEN}`,
    ]) {
      expect((await get(`/api/status?${query}`, [])).status).toBe(401);
      expect((await get(`/attach?${query}`, [])).status).toBe(401);
    }
    expect(JSON.stringify(gateway.lines)).not.toContain(TOKEN);
  });

  test("every route but those that are open asks for it", async () => {
    const open = ["/", "/health"];
    for (const path of [...open, "/api/status", "/attach"]) {
      for (const method of ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]) {
        const { status } = await fetch(gateway.url + path, { method });
        if (open.includes(path)) expect(status).not.toBe(401);
        else expect([method, path, status]).toEqual([method, path, 401]);
      }
    }
  });
});
