import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { WebhookQuota } from "../../src/webhook/quota.ts";

const LIMITS = { perSource: 10, global: 30 };

/** Asks and counts, as `Webhooks` does; the milliseconds to wait. */
function hit(quota: WebhookQuota, source: string, atMs: number): number {
  const waitMs = quota.waitMs(source, atMs);
  if (waitMs === 0) quota.count(source, atMs);
  return waitMs;
}

describe("WebhookQuota", () => {
  test("31 sources once each: the 31st waits", () => {
    const quota = new WebhookQuota(LIMITS);
    for (let i = 0; i < 30; i++) expect(hit(quota, `s${i}`, 1000 + i)).toBe(0);
    expect(hit(quota, "s30", 1030)).toBe(59_970);
  });

  test("11 from one: the 11th waits, another source does not", () => {
    const quota = new WebhookQuota(LIMITS);
    for (let i = 0; i < 10; i++) expect(hit(quota, "a", 1000 + i)).toBe(0);
    expect(hit(quota, "a", 1010)).toBe(59_990);
    expect(hit(quota, "b", 1010)).toBe(0);
  });

  test("the window slides: never more than the limit in any 60 s", () => {
    const quota = new WebhookQuota(LIMITS);
    const accepted: number[] = [];
    for (let atMs = 0; atMs < 300_000; atMs += 250)
      if (hit(quota, "a", atMs) === 0) accepted.push(atMs);
    for (const from of accepted) {
      const inWindow = accepted.filter((atMs) => atMs >= from && atMs < from + 60_000);
      expect(inWindow.length).toBeLessThanOrEqual(10);
    }
    expect(accepted.length).toBe(50);
  });

  test("what waits is let in when it was told to, to the millisecond", () => {
    const quota = new WebhookQuota({ perSource: 1, global: 30 });
    expect(hit(quota, "a", 0)).toBe(0);
    expect(hit(quota, "a", 59_999)).toBe(1);
    expect(hit(quota, "a", 60_000)).toBe(0);
  });

  test("asking counts nothing", () => {
    const quota = new WebhookQuota(LIMITS);
    for (let i = 0; i < 1000; i++) expect(quota.waitMs("a", i)).toBe(0);
    expect(quota.size).toBe(0);
  });

  test("states: what is left and when the oldest is free again", () => {
    const quota = new WebhookQuota(LIMITS);
    hit(quota, "a", 0);
    hit(quota, "a", 10_000);
    hit(quota, "b", 20_000);
    expect(quota.states("a", 30_000)).toEqual([
      { name: "source", limit: 10, remaining: 8, resetSeconds: 30 },
      { name: "global", limit: 30, remaining: 27, resetSeconds: 30 },
    ]);
    expect(quota.states("c", 80_000)).toEqual([
      { name: "source", limit: 10, remaining: 10, resetSeconds: 0 },
      { name: "global", limit: 30, remaining: 30, resetSeconds: 0 },
    ]);
  });

  test("100,000 source names leave memory flat, accepted or not", () => {
    const heap = () => {
      Bun.gc(true);
      return heapStats().heapSize;
    };
    const quota = new WebhookQuota(LIMITS);
    for (let i = 0; i < 1000; i++) hit(quota, `warm-${i}`, i);
    const before = heap();
    // At one time, so that 30 are accepted; then over a long one, so that one is every two seconds.
    for (let i = 0; i < 50_000; i++) hit(quota, `at-once-${i}`, 100_000);
    for (let i = 0; i < 50_000; i++) hit(quota, `over-time-${i}`, 200_000 + i * 100);
    expect(quota.size).toBeLessThanOrEqual(30);
    // A name alone has over 50 bytes: remembered, they would be five million.
    expect(heap() - before).toBeLessThan(1_000_000);
  });

  test("lower limits count what was accepted before; higher ones let more in", () => {
    const quota = new WebhookQuota(LIMITS);
    for (let i = 0; i < 5; i++) hit(quota, "a", 0);
    quota.setLimits({ perSource: 3, global: 30 });
    expect(hit(quota, "a", 1000)).toBe(59_000);
    quota.setLimits({ perSource: 6, global: 30 });
    expect(hit(quota, "a", 1000)).toBe(0);
    expect(hit(quota, "a", 1000)).toBe(59_000);
  });

  test.each([0, -1, 1.5, Number.NaN])("a limit of %p is refused", (limit) => {
    expect(() => new WebhookQuota({ perSource: limit, global: 1 })).toThrow(RangeError);
    expect(() => new WebhookQuota(LIMITS).setLimits({ perSource: 1, global: limit })).toThrow(
      RangeError,
    );
  });
});
