import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BEARER, TOKEN, testGateway } from "../support/gateway.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { RawConnection } from "../support/raw-http.ts";
import { canMount, mountTmpfs } from "../support/tmpfs.ts";
import { until } from "../support/until.ts";

test("an upload that drips is cut off by its deadline: 408, the old content, and nothing left over", async () => {
  const clock = new FakeClock();
  await using nest = testGateway({ clock });
  const vault = join(nest.dir, "vault");
  writeFileSync(join(vault, "kept.md"), "old");
  const unfinished = () => {
    const folder = join(vault, ".nest-tmp");
    return existsSync(folder) ? readdirSync(folder).length : 0;
  };
  for (const head of ["Content-Length: 1000000", "Transfer-Encoding: chunked"]) {
    using connection = new RawConnection(nest.port);
    connection.write(
      `PUT /api/files/kept.md HTTP/1.1\r\nHost: ${nest.host}\r\nAuthorization: Bearer ${TOKEN}\r\n${head}\r\n\r\n`,
    );
    const isChunked = head.startsWith("Transfer");
    await until("the upload has begun", () => unfinished() === 1);
    for (let second = 0; second < 30; second++) {
      connection.write(isChunked ? "1\r\nx\r\n" : "x");
      await new Promise<void>((resolve) => setImmediate(resolve));
      clock.advance(1000);
    }
    expect((await connection.response()).status).toBe(408);
    await until("nothing unfinished is left", () => unfinished() === 0);
    expect(readFileSync(join(vault, "kept.md"), "utf8")).toBe("old");
  }
});

if (!canMount)
  console.log(
    "tests/attack/vault-upload.test.ts: a full disk needs root and mount(8), skipped here",
  );

test.skipIf(!canMount)(
  "a full disk: 507, the old content, nothing left over, and work goes on when there is room",
  async () => {
    let mounted: Disposable | undefined;
    const nest = testGateway({
      prepare: (dir) => (mounted = mountTmpfs(join(dir, "vault"), "2m")),
    });
    try {
      const vault = join(nest.dir, "vault");
      const put = (
        path: string,
        body: Uint8Array<ArrayBuffer> | ReadableStream | string,
        headers: Record<string, string> = {},
      ) =>
        fetch(`${nest.url}/api/files/${path}`, {
          method: "PUT",
          body,
          headers: { ...BEARER, ...headers },
        });
      const etag = (await put("kept.md", "old")).headers.get("etag") ?? "";
      const big = Buffer.alloc(4_000_000, "x");
      for (const [path, body, headers] of [
        ["kept.md", big, {}],
        ["kept.md", new Blob([big]).stream(), {}],
        ["kept.md", big, { "If-Match": etag }],
        ["new/folder/file.md", big, { "If-None-Match": "*" }],
      ] as const) {
        const answer = await put(path, body, headers);
        expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
          507,
          "disk_full",
        ]);
        expect(readFileSync(join(vault, "kept.md"), "utf8")).toBe("old");
        expect(readdirSync(join(vault, ".nest-tmp"))).toEqual([]);
        expect(existsSync(join(vault, "new"))).toBe(false);
      }
      expect((await fetch(`${nest.url}/api/files/kept.md`, { headers: BEARER })).status).toBe(200);
      expect((await put("kept.md", "new", { "If-Match": etag })).status).toBe(200);
      expect(readFileSync(join(vault, "kept.md"), "utf8")).toBe("new");
    } finally {
      await nest.gateway.stop();
      mounted?.[Symbol.dispose]();
      await nest[Symbol.asyncDispose]();
    }
  },
);
