import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BEARER, type TestGateway, testGateway } from "../support/gateway.ts";
import { rawRequest } from "../support/raw-http.ts";

const EPOCH = "Thu, 01 Jan 1970 00:00:00 GMT";

let nest: TestGateway;
let vault: string;
beforeAll(() => {
  nest = testGateway({ config: { vault: { maxFileBytes: 2_000_000 } } });
  vault = join(nest.dir, "vault");
});
afterAll(() => nest[Symbol.asyncDispose]());

const api = (path: string, init: RequestInit = {}) =>
  fetch(`${nest.url}/api${path}`, { ...init, headers: { ...BEARER, ...init.headers } });
const put = (path: string, body: string, headers: Record<string, string> = {}) =>
  api(`/files/${path}`, { method: "PUT", body, headers });
const code = async (response: Response) => ((await response.json()) as { code: string }).code;

describe("PUT and GET /api/files/{path}", () => {
  test("stores and gives back any bytes, with folders on the way, an ETag and a time", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(5000));
    const made = await api("/files/deep/er/blob.bin", { method: "PUT", body: bytes });
    expect(made.status).toBe(201);
    const etag = made.headers.get("etag");
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    const read = await api("/files/deep/er/blob.bin");
    expect(read.status).toBe(200);
    expect(read.headers.get("etag")).toBe(etag);
    expect(read.headers.get("content-length")).toBe("5000");
    expect(Date.parse(read.headers.get("last-modified") ?? "")).toBeWithin(
      Date.now() - 60_000,
      Date.now() + 2000,
    );
    expect(new Uint8Array(await read.arrayBuffer())).toEqual(bytes);
    const again = await put("deep/er/blob.bin", "other");
    expect(again.status).toBe(200);
    expect(again.headers.get("etag")).not.toBe(etag);
  });

  test("names with every kind of character come through", async () => {
    for (const name of [
      "a b.md",
      "100%.md",
      "ä ö.md",
      "日本.md",
      "😀.md",
      "a+b&c=d.md",
      "x?y#z.md",
      "%2e%2e.md",
      "new\nline.md",
      "c:.md",
      "..a",
      "a..b",
    ]) {
      expect([name, (await put(`names/${encodeURIComponent(name)}`, name)).status]).toEqual([
        name,
        201,
      ]);
      expect(await (await api(`/files/names/${encodeURIComponent(name)}`)).text()).toBe(name);
      expect(readFileSync(join(vault, "names", name), "utf8")).toBe(name);
    }
  });

  test.each([
    { name: "note.md", type: "text/markdown; charset=utf-8" },
    { name: "page.html", type: "text/plain; charset=utf-8" },
    { name: "PAGE.XHTML", type: "text/plain; charset=utf-8" },
    { name: "image.svg", type: "text/plain; charset=utf-8" },
    { name: "feed.xml", type: "text/plain; charset=utf-8" },
    { name: "code.js", type: "text/plain; charset=utf-8" },
    { name: "sw.mjs", type: "text/plain; charset=utf-8" },
    { name: "archive.mht", type: "text/plain; charset=utf-8" },
    { name: "data.json", type: "application/json" },
    { name: "paper.pdf", type: "application/pdf" },
    { name: "pixel.png", type: "image/png" },
    { name: "thing.exe", type: "application/octet-stream" },
    { name: "thing.constructor", type: "application/octet-stream" },
    { name: "README", type: "text/plain; charset=utf-8" },
    { name: ".hidden", type: "text/plain; charset=utf-8" },
  ])("$name goes out as $type, in a sandbox", async ({ name, type }) => {
    for (const size of [20, 200_000]) {
      await put(`types/${name}`, `<script>alert(1)</script>`.padEnd(size));
      const { headers } = await api(`/files/types/${name}`);
      expect(headers.get("content-type")).toBe(type);
      expect(headers.get("content-security-policy")).toBe("sandbox; default-src 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
    }
  });

  test.each([
    { name: "a small file", size: 26 },
    { name: "a large file", size: 1_000_000 },
    { name: "an empty file", size: 0 },
  ])("HEAD, conditions and ranges work on $name", async ({ size }) => {
    const content = "abcdefghijklmnopqrstuvwxyz".repeat(Math.ceil(size / 26)).slice(0, size);
    const path = `ranges-${size}.txt`;
    const etag = (await put(path, content)).headers.get("etag") ?? "";
    const get = (headers: Record<string, string>, method = "GET") =>
      api(`/files/${path}`, { method, headers });

    const head = await get({}, "HEAD");
    expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
      200,
      String(size),
      "",
    ]);
    expect(head.headers.get("etag")).toBe(etag);
    expect((await get({ "If-None-Match": etag })).status).toBe(304);
    expect((await get({ "If-None-Match": '"other"' })).status).toBe(200);
    expect((await get({ "If-Match": '"other"' })).status).toBe(412);
    const modified = head.headers.get("last-modified") ?? "";
    expect((await get({ "If-Modified-Since": modified })).status).toBe(304);
    if (size === 0) {
      expect((await get({ Range: "bytes=0-" })).status).toBe(416);
      return;
    }
    const part = await get({ Range: "bytes=3-7" });
    expect([
      part.status,
      part.headers.get("content-range"),
      part.headers.get("content-length"),
      await part.text(),
    ]).toEqual([206, `bytes 3-7/${size}`, "5", "defgh"]);
    const whole = await get({});
    expect([whole.headers.get("content-range"), await whole.text()]).toEqual([null, content]);
    const tail = await get({ Range: "bytes=-4", "If-Range": etag });
    expect([tail.status, await tail.text()]).toEqual([206, content.slice(-4)]);
    const changed = await get({ Range: "bytes=3-7", "If-Range": '"other"' });
    expect([changed.status, await changed.text()]).toEqual([200, content]);
    const beyond = await get({ Range: `bytes=${size}-` });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${size}`]);
    const headPart = await get({ Range: "bytes=3-7" }, "HEAD");
    expect([headPart.status, headPart.headers.get("content-length")]).toEqual([206, "5"]);
  });

  test("If-Match and If-None-Match decide on a write", async () => {
    const first = (await put("cond.md", "one", { "If-None-Match": "*" })).headers.get("etag") ?? "";
    expect((await put("cond.md", "two", { "If-None-Match": "*" })).status).toBe(412);
    expect((await put("cond.md", "two", { "If-Match": '"other"' })).status).toBe(412);
    expect((await put("cond.md", "two", { "If-Match": `W/${first}` })).status).toBe(412);
    expect((await put("gone.md", "two", { "If-Match": "*" })).status).toBe(412);
    expect(await (await api("/files/cond.md")).text()).toBe("one");
    expect((await put("cond.md", "two", { "If-Match": `"x", ${first}` })).status).toBe(200);
    expect((await put("cond.md", "three", { "If-None-Match": '"x"' })).status).toBe(400);
    expect(await (await api("/files/cond.md")).text()).toBe("two");
  });

  // Passed over, a condition loses what it was to keep, and a part takes the place of the whole.
  test.each([
    { name: "a deletion by ETag", method: "DELETE", headers: { "If-Match": '"other"' } },
    { name: "a deletion unless it is there", method: "DELETE", headers: { "If-None-Match": "*" } },
    { name: "a deletion by date", method: "DELETE", headers: { "If-Unmodified-Since": EPOCH } },
    { name: "a write by date", method: "PUT", headers: { "If-Unmodified-Since": EPOCH } },
    { name: "a write of a part", method: "PUT", headers: { "Content-Range": "bytes 0-2/9" } },
    { name: "a folder by ETag", method: "PUT", end: "/", headers: { "If-Match": '"other"' } },
  ])("refuses what it can't keep to: $name", async ({ method, headers, end = "" }) => {
    await put("kept.md", "as it was");
    const body = method === "PUT" && end === "" ? { body: "new" } : {};
    const answer = await api(`/files/kept.md${end}`, { method, headers, ...body });
    expect([answer.status, await code(answer)]).toEqual([400, "bad_request"]);
    expect(await (await api("/files/kept.md")).text()).toBe("as it was");
  });

  test("a date beside If-Match says nothing (RFC 9110 section 13.1.4)", async () => {
    const etag = (await put("dated.md", "one")).headers.get("etag") ?? "";
    const headers = { "If-Match": etag, "If-Unmodified-Since": EPOCH };
    expect((await put("dated.md", "two", headers)).status).toBe(200);
  });

  test("a move with a condition is refused, and a folder that must not exist is 412 if it does", async () => {
    await put("held.md", "x");
    const move = await api("/move", {
      method: "POST",
      headers: { "Content-Type": "application/json", "If-Match": '"other"' },
      body: JSON.stringify({ from: "held.md", to: "gone.md" }),
    });
    expect(move.status).toBe(400);
    expect((await api("/files/held.md")).status).toBe(200);
    const folder = () => api("/files/once/", { method: "PUT", headers: { "If-None-Match": "*" } });
    expect([(await folder()).status, (await folder()).status]).toEqual([201, 412]);
  });

  test("of two writers with one ETag exactly one wins, and the other is told", async () => {
    for (let round = 0; round < 20; round++) {
      const etag = (await put("race.md", `start ${round}`)).headers.get("etag") ?? "";
      const bodies = ["left", "right"].map((side) => `${side} ${round}`.repeat(1000));
      const answers = await Promise.all(
        bodies.map((body) => put("race.md", body, { "If-Match": etag })),
      );
      expect(answers.map(({ status }) => status).toSorted()).toEqual([200, 412]);
      const winner = answers.findIndex(({ status }) => status === 200);
      expect(await (await api("/files/race.md")).text()).toBe(bodies[winner] as string);
    }
  });

  test("refuses what is too large before it has come, chunked too, and leaves nothing behind", async () => {
    const said = await rawRequest(
      nest.port,
      [
        "PUT /api/files/big.bin HTTP/1.1",
        `Host: ${nest.host}`,
        `Authorization: ${BEARER.Authorization}`,
        "Content-Length: 2000001",
        "",
        "",
      ].join("\r\n"),
    );
    expect(said.status).toBe(413);
    let sent = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        sent += 65_536;
        if (sent > 50_000_000) controller.close();
        else controller.enqueue(new Uint8Array(65_536));
      },
    });
    const chunked = await api("/files/big.bin", { method: "PUT", body: endless }).catch(
      () => undefined,
    );
    if (chunked !== undefined) expect(chunked.status).toBe(413);
    expect((await api("/files/big.bin")).status).toBe(404);
    const encoded = await put("big.bin", "x", { "Content-Encoding": "gzip" });
    expect([encoded.status, await code(encoded)]).toEqual([415, "unsupported_encoding"]);
  });

  test("a path that ends in / makes a folder, once", async () => {
    expect((await api("/files/fold/er/", { method: "PUT" })).status).toBe(201);
    expect((await api("/files/fold/er/", { method: "PUT" })).status).toBe(200);
    const read = await api("/files/fold/er");
    expect([read.status, await code(read)]).toEqual([409, "is_a_directory"]);
    expect((await put("fold", "x")).status).toBe(409);
    await put("plain", "x");
    expect((await api("/files/plain/")).status).toBe(404);
    expect((await api("/files/plain/x")).status).toBe(404);
    expect((await put("plain/x", "x")).status).toBe(404);
  });

  test.each([
    { name: "..", path: "..%2fx", status: 403 },
    { name: ".. in the middle", path: "a%2f..%2f..%2fx", status: 403 },
    { name: ".. decoded twice is a name", path: "%252e%252e", status: 404 },
    { name: "absolute", path: "%2fetc%2fpasswd", status: 403 },
    { name: "a backslash", path: "a%5cb", status: 403 },
    { name: "a backslash decoded twice is a name", path: "a%255cb", status: 404 },
    { name: "NUL", path: "a%00b", status: 400 },
    { name: "invalid UTF-8", path: "a%ffb", status: 400 },
    { name: "a broken escape", path: "a%zz", status: 400 },
    { name: "a name of 256 bytes", path: "a".repeat(256), status: 400 },
    { name: "a name of 255 bytes", path: "a".repeat(255), status: 404 },
    { name: "a long path", path: "a/".repeat(2100) + "b", status: 400 },
  ])("GET of a path with $name: $status", async ({ path, status }) => {
    expect((await api(`/files/${path}`)).status).toBe(status);
  });

  test("a link that leaves is refused and logged; one that stays works", async () => {
    writeFileSync(join(nest.dir, "outside.txt"), "outside");
    symlinkSync(join(nest.dir, "outside.txt"), join(vault, "out"));
    writeFileSync(join(vault, "inside.txt"), "inside");
    symlinkSync("inside.txt", join(vault, "in"));
    const before = nest.logged("vault_violation").length;
    const refused = await api("/files/out");
    expect([refused.status, await code(refused)]).toEqual([403, "path_escapes"]);
    expect(nest.logged("vault_violation").slice(before)).toMatchObject([
      {
        address: "127.0.0.1",
        route: "GET /api/files/out",
        reason: "path_escapes",
        request: expect.any(String),
      },
    ]);
    expect(await (await api("/files/in")).text()).toBe("inside");
  });

  test("unknown methods are told what there is", async () => {
    const response = await api("/files/x", { method: "POST", body: "x" });
    expect([response.status, response.headers.get("allow")]).toEqual([
      405,
      "GET, PUT, DELETE, HEAD",
    ]);
  });
});

describe("DELETE /api/files/{path} and POST /api/move", () => {
  const move = (body: unknown) =>
    api("/move", {
      method: "POST",
      body: JSON.stringify(body),
      headers: { "Content-Type": "application/json" },
    });

  test("delete goes into the trash, and a move brings it back", async () => {
    await put("precious.md", "precious");
    const gone = await api("/files/precious.md", { method: "DELETE" });
    expect([gone.status, await gone.text()]).toEqual([204, ""]);
    expect((await api("/files/precious.md")).status).toBe(404);
    const trash = decodeURI(gone.headers.get("x-trash-path") ?? "");
    expect(trash).toStartWith(".trash/");
    expect((await move({ from: trash, to: "precious.md" })).status).toBe(200);
    expect(await (await api("/files/precious.md")).text()).toBe("precious");
    expect((await api("/files/precious.md?permanent=true", { method: "DELETE" })).status).toBe(204);
    expect((await api("/files/precious.md", { method: "DELETE" })).status).toBe(404);
    expect((await api("/files/precious.md?permanent=perhaps", { method: "DELETE" })).status).toBe(
      400,
    );
  });

  test("a folder needs recursive, and the root stays", async () => {
    await put("tree/a/b.md", "b");
    expect((await api("/files/tree", { method: "DELETE" })).status).toBe(409);
    expect((await api("/files/tree?recursive=true", { method: "DELETE" })).status).toBe(204);
    for (const root of ["", "?recursive=true", "?recursive=true&permanent=true"]) {
      expect((await api(`/files/${root}`, { method: "DELETE" })).status).toBe(409);
    }
    expect((await api("/files", { method: "DELETE" })).status).toBe(405);
    expect(readdirSync(vault).length).toBeGreaterThan(0);
  });

  test("a move does not overwrite unless asked", async () => {
    await put("m/a.md", "a");
    await put("m/b.md", "b");
    const refused = await move({ from: "m/a.md", to: "m/b.md" });
    expect([refused.status, await code(refused)]).toEqual([409, "exists"]);
    expect((await move({ from: "m/a.md", to: "m/b.md", overwrite: true })).status).toBe(200);
    expect(await (await api("/files/m/b.md")).text()).toBe("a");
    expect((await move({ from: "m/none.md", to: "m/c.md" })).status).toBe(404);
    expect((await move({ from: "m/b.md", to: "../c.md" })).status).toBe(403);
    expect((await move({ from: "m/b.md", to: "new/folder/c.md" })).status).toBe(200);
  });

  test.each([
    { name: "nothing", body: undefined },
    { name: "null", body: null },
    { name: "a list", body: [] },
    { name: "a string", body: "x" },
    { name: "numbers", body: { from: 1, to: 2 } },
    { name: "only one", body: { from: "m" } },
    { name: "a word for a boolean", body: { from: "m", to: "n", overwrite: "yes" } },
    { name: "a prototype", body: JSON.parse('{"__proto__":{"from":"m","to":"n"}}') },
  ])("a move wants two paths: $name", async ({ body }) => {
    expect((await move(body)).status).toBe(400);
  });
});

describe("GET /api/files", () => {
  const list = async (query: string) => {
    const response = await api(`/files?${query}`);
    return (await response.json()) as {
      entries: { path: string; name: string; type: string; size: number; modified: string }[];
      cursor?: string;
    };
  };

  test("lists by path, in pages, links as links, hidden ones when asked", async () => {
    for (const name of ["b.md", "a.md", "c/d.md", ".dot"]) await put(`ls/${name}`, name);
    mkdirSync(join(vault, "ls", "e"));
    symlinkSync("/etc", join(vault, "ls", "etc"));
    const { entries } = await list("dir=ls");
    expect(entries.map(({ path, type }) => `${path} ${type}`)).toEqual([
      "ls/a.md file",
      "ls/b.md file",
      "ls/c dir",
      "ls/e dir",
      "ls/etc link",
    ]);
    expect(entries[0]).toMatchObject({
      name: "a.md",
      size: 4,
      modified: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    expect((await list("dir=ls&hidden=true")).entries[0]?.path).toBe("ls/.dot");
    expect((await list("dir=ls&depth=2")).entries.map(({ path }) => path)).toContain("ls/c/d.md");
    const pages: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await list(`dir=ls&limit=2${cursor === undefined ? "" : `&cursor=${cursor}`}`);
      pages.push(...page.entries.map(({ name }) => name));
      cursor = page.cursor;
    } while (cursor !== undefined);
    expect(pages).toEqual(["a.md", "b.md", "c", "e", "etc"]);
  });

  test.each([
    { query: "dir=nowhere", status: 404 },
    { query: "dir=../", status: 403 },
    { query: "dir=/etc", status: 403 },
    { query: "dir=ls/etc", status: 403 },
    { query: "dir=ls/a.md", status: 409 },
    { query: "limit=0", status: 400 },
    { query: "limit=x", status: 400 },
    { query: "limit=100000", status: 400 },
    { query: "depth=-1", status: 400 },
    { query: "cursor=!!", status: 400 },
    { query: "hidden=maybe", status: 400 },
  ])("refuses $query: $status", async ({ query, status }) => {
    expect((await api(`/files?${query}`)).status).toBe(status);
  });
});
