import { describe, expect, test } from "bun:test";
import { SlidingWindow } from "../../src/limit/sliding-window.ts";
import { randomFrom } from "../support/random.ts";

describe("SlidingWindow", () => {
  test("lets `max` hits through, then says how long to wait for the oldest to age", () => {
    const window = new SlidingWindow(3, 60_000);
    expect([1000, 2000, 3000].map((at) => window.hit(at))).toEqual([0, 0, 0]);
    expect(window.hit(3000)).toBe(58_000);
    expect(window.hit(60_999)).toBe(1);
    expect(window.hit(61_000)).toBe(0);
    expect(window.hit(61_000)).toBe(1000);
  });

  test("slides: a burst over the edge of a fixed minute is a burst", () => {
    const window = new SlidingWindow(10, 60_000);
    for (let i = 0; i < 10; i++) expect(window.hit(59_900)).toBe(0);
    for (let at = 59_900; at < 119_900; at += 100) expect(window.hit(at)).toBe(119_900 - at);
    expect(window.hit(119_900)).toBe(0);
  });

  test("does not remember what it refused: hammering does not lengthen the wait", () => {
    const window = new SlidingWindow(1, 1000);
    expect(window.hit(0)).toBe(0);
    for (let at = 1; at < 1000; at++) window.hit(at);
    expect(window.hit(1000)).toBe(0);
  });

  test("lets a hit through at time 0 and before it: the clock's zero means nothing", () => {
    expect(new SlidingWindow(1, 1000).hit(0)).toBe(0);
    expect(new SlidingWindow(1, 1000).hit(-5000)).toBe(0);
  });

  test("never lets more than `max` through in any window, and never refuses without cause", () => {
    const random = randomFrom(1);
    for (const max of [1, 2, 7, 10]) {
      const window = new SlidingWindow(max, 1000);
      const accepted: number[] = [];
      let at = 0;
      for (let i = 0; i < 5000; i++) {
        at += random() < 0.1 ? random() * 2000 : random() * 50;
        const young = accepted.filter((time) => time + 1000 > at).length;
        const waitMs = window.hit(at);
        expect(waitMs === 0).toBe(young < max);
        if (waitMs === 0) accepted.push(at);
      }
    }
  });

  test.each([
    { name: "no hits", max: 0, windowMs: 1000 },
    { name: "a negative number", max: -1, windowMs: 1000 },
    { name: "half a hit", max: 1.5, windowMs: 1000 },
    { name: "NaN hits", max: Number.NaN, windowMs: 1000 },
    { name: "no time", max: 1, windowMs: 0 },
    { name: "NaN time", max: 1, windowMs: Number.NaN },
  ])("refuses limits that are not positive: $name", ({ max, windowMs }) => {
    expect(() => new SlidingWindow(max, windowMs)).toThrow(RangeError);
  });
});
