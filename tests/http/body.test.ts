import { describe, expect, test } from "bun:test";
import { type BodyLimits, bodyStream, readBytes, readJson } from "../../src/http/body.ts";
import type { RequestScope } from "../../src/http/env.ts";
import { Refusal } from "../../src/http/problem.ts";
import { FakeClock } from "../support/fake-clock.ts";

const scopeOf = (
  body: string | Uint8Array | ReadableStream<Uint8Array> | null,
  headers: Record<string, string> = {},
) => {
  const request = new Request("http://localhost/", { method: "POST", body, headers });
  return { request, header: (name: string) => request.headers.get(name) } as RequestScope;
};
const limits = (maxBytes: number): BodyLimits => ({ maxBytes, clock: new FakeClock() });

/** A body that arrives as it is told to. */
function dripping() {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let cancelled = false;
  const body = new ReadableStream<Uint8Array>({
    start: (own) => void (controller = own),
    cancel: () => void (cancelled = true),
  });
  return {
    body,
    send: (bytes: number) => controller?.enqueue(new Uint8Array(bytes)),
    end: () => controller?.close(),
    get cancelled() {
      return cancelled;
    },
  };
}

async function codeOf(doing: Promise<unknown>): Promise<string> {
  try {
    await doing;
    return "none";
  } catch (error) {
    return error instanceof Refusal ? error.code : String(error);
  }
}

describe("bodyStream", () => {
  test("refuses by Content-Length before a byte is read", () => {
    const drip = dripping();
    expect(() => bodyStream(scopeOf(drip.body, { "Content-Length": "11" }), limits(10))).toThrow(
      "at most 10 bytes",
    );
    expect(drip.body.locked).toBe(false);
  });

  test("refuses chunks that sum up to more, and stops reading", async () => {
    const drip = dripping();
    const reading = readBytes(scopeOf(drip.body), limits(10));
    drip.send(6);
    drip.send(6);
    expect(await codeOf(reading)).toBe("body_too_large");
    expect(drip.cancelled).toBe(true);
  });

  test("lets a body of just the limit pass, in one or more chunks", async () => {
    const drip = dripping();
    const reading = readBytes(scopeOf(drip.body), limits(10));
    drip.send(4);
    drip.send(6);
    drip.end();
    expect((await reading).byteLength).toBe(10);
    expect((await readBytes(scopeOf("0123456789"), limits(10))).byteLength).toBe(10);
    expect((await readBytes(scopeOf(null), limits(10))).byteLength).toBe(0);
  });

  test.each(["gzip", "br", "deflate", "zstd", "identity, gzip"])(
    "refuses Content-Encoding: %s",
    async (encoding) => {
      const scope = scopeOf("x", { "Content-Encoding": encoding });
      expect(await codeOf(readBytes(scope, limits(10)))).toBe("unsupported_encoding");
    },
  );

  test("gives up a body that does not come, and one that drips", async () => {
    for (const bytes of [0, 100]) {
      const clock = new FakeClock();
      const drip = dripping();
      const reading = codeOf(readBytes(scopeOf(drip.body), { maxBytes: 1e6, clock }));
      for (let second = 0; second < 25; second++) {
        if (bytes > 0 && !drip.cancelled) drip.send(bytes);
        // The reader takes what came before the clock goes on.
        await new Promise<void>((resolve) => setImmediate(resolve));
        clock.advance(1000);
      }
      expect(await reading).toBe("body_timeout");
      expect(drip.cancelled).toBe(true);
    }
  });

  test("waits for a body that is slow but comes", async () => {
    const clock = new FakeClock();
    const drip = dripping();
    const reading = readBytes(scopeOf(drip.body), { maxBytes: 1e7, clock });
    for (let second = 0; second < 120; second++) {
      drip.send(9000);
      await new Promise<void>((resolve) => setImmediate(resolve));
      clock.advance(1000);
    }
    drip.end();
    expect((await reading).byteLength).toBe(120 * 9000);
  });
});

describe("readJson", () => {
  const json = { "Content-Type": "application/json" };

  test.each([
    { name: "plain", type: "application/json" },
    { name: "with a charset", type: "application/json; charset=utf-8" },
    { name: "in capitals", type: "Application/JSON" },
    { name: "a kind of it", type: "application/cloudevents+json" },
  ])("takes JSON by its type: $name", async ({ type }) => {
    expect(await readJson(scopeOf('{"a":1}', { "Content-Type": type }), limits(100))).toEqual({
      a: 1,
    });
  });

  test.each([
    { name: "a form", type: "application/x-www-form-urlencoded" },
    { name: "plain text", type: "text/plain" },
    { name: "text in odd case", type: "TEXT/plain;application/json" },
    { name: "multipart", type: "multipart/form-data; boundary=x" },
    { name: "something longer", type: "application/jsonp" },
  ])("refuses another type: $name", async ({ type }) => {
    const scope = scopeOf("{}", { "Content-Type": type });
    expect(await codeOf(readJson(scope, limits(100)))).toBe("unsupported_media_type");
  });

  test.each([
    { name: "nothing", body: "" },
    { name: "half of it", body: '{"a":' },
    { name: "invalid UTF-8", body: new Uint8Array([0x22, 0xff, 0x22]) },
    { name: "nested without end", body: "[".repeat(100_000) },
  ])("refuses what is none: $name", async ({ body }) => {
    expect(await codeOf(readJson(scopeOf(body, json), limits(1e6)))).toBe("bad_json");
  });
});
