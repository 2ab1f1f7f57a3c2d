import { describe, expect, test } from "bun:test";
import { LockOut } from "../../src/limit/lock-out.ts";
import { MemoryFailureStore } from "../../src/limit/memory-failure-store.ts";
import { FakeClock } from "../support/fake-clock.ts";

const LIMITS = { maxFailures: 10, windowMs: 60_000, maxAddresses: 65_536 };
const A = "192.0.2.1";
const B = "192.0.2.2";

/** A lock-out whose starts and ends are told into `told`, at the clock's time less where it began. */
function setUp(limits = LIMITS) {
  const clock = new FakeClock();
  const startMs = clock.monotonicMs();
  const told: string[] = [];
  const tell = (what: string) => told.push(`${clock.monotonicMs() - startMs} ${what}`);
  const lockOut = new LockOut(new MemoryFailureStore(limits), limits, clock, {
    started: (address, failures, remainingMs, cause) =>
      tell(`+${address} ${failures} ${remainingMs}${cause ? ` ${cause.route}` : ""}`),
    ended: (address, reason) => tell(`-${address} ${reason}`),
  });
  const fail = (address: string, count = 1) => {
    for (let n = 0; n < count; n++) lockOut.fail(address);
  };
  return { clock, told, lockOut, fail };
}

describe("LockOut", () => {
  test("tells a lock's start once and its end once, at their times", () => {
    const { clock, told, lockOut, fail } = setUp();
    fail(A, 9);
    expect(lockOut.isAnyoneLocked).toBe(false);
    expect(told).toEqual([]);
    clock.advance(5000);
    fail(A);
    expect(told).toEqual([`5000 +${A} 10 55000`]);
    expect(lockOut.isAnyoneLocked).toBe(true);
    // Guesses that were under way already (a socket's first frame) are counted without another start.
    fail(A, 3);
    clock.advance(300_000);
    expect(told).toEqual([`5000 +${A} 10 55000`, `60000 -${A} window_passed`]);
    expect(lockOut.isAnyoneLocked).toBe(false);
  });

  test("a start is told with the request whose failure it was", () => {
    const { told, lockOut, fail } = setUp();
    fail(A, 9);
    lockOut.fail(A, { route: "GET /api/status", request: "r10" });
    lockOut.fail(A, { route: "GET /api/files", request: "r11" });
    expect(told).toEqual([`0 +${A} 10 60000 GET /api/status`]);
  });

  test("an asked address is locked until the millisecond in which its oldest failure ages", () => {
    const { clock, lockOut, fail } = setUp();
    clock.advance(59_900);
    fail(A, 10);
    expect(lockOut.remainingMs(A)).toBe(60_000);
    clock.advance(59_999);
    expect(lockOut.remainingMs(A)).toBe(1);
    expect(lockOut.remainingMs(B)).toBe(0);
    clock.advance(1);
    expect(lockOut.remainingMs(A)).toBe(0);
  });

  test("asking does not prolong a lock", () => {
    const { clock, lockOut, fail } = setUp();
    fail(A, 10);
    for (let i = 0; i < 600; i++) {
      clock.advance(100);
      lockOut.remainingMs(A);
    }
    expect(lockOut.remainingMs(A)).toBe(0);
  });

  test("a failure after a lock is over tells that end before it counts, though ends are told once a second", () => {
    const { clock, told, lockOut, fail } = setUp();
    fail(B, 10);
    clock.advance(100);
    fail(A, 10);
    // B's end is told at 60 000; the next walk, which would tell of A, comes at 61 000.
    clock.advance(60_100);
    expect(lockOut.remainingMs(A)).toBe(0);
    expect(told.at(-1)).toBe(`60000 -${B} window_passed`);
    fail(A, 10);
    expect(told.slice(3)).toEqual([`60200 -${A} window_passed`, `60200 +${A} 10 60000`]);
    clock.advance(10_000);
    expect(told).toHaveLength(5);
  });

  test("tells the ends of many locks in walks a second apart, each once", () => {
    const { clock, told, fail } = setUp();
    for (let i = 0; i < 100; i++) {
      fail(`a${i}`, 10);
      clock.advance(50);
    }
    clock.advance(120_000);
    const ends = told.filter((line) => line.includes(" -"));
    expect(ends).toHaveLength(100);
    expect(new Set(ends.map((line) => line.split(" ")[1])).size).toBe(100);
    const moments = [...new Set(ends.map((line) => Number(line.split(" ")[0])))];
    expect(moments).toEqual([60_000, 61_000, 62_000, 63_000, 64_000, 65_000]);
  });

  test("a lock that ends sooner than those before it is told in its own time", () => {
    const { clock, told, fail } = setUp();
    fail(B, 1);
    clock.advance(10_000);
    fail(A, 10);
    fail(B, 9);
    clock.advance(50_000);
    expect(told.at(-1)).toBe(`60000 -${B} window_passed`);
    clock.advance(10_000);
    expect(told.at(-1)).toBe(`70000 -${A} window_passed`);
  });

  test("list gives the locks of now", () => {
    const { clock, lockOut, fail } = setUp();
    fail(A, 10);
    clock.advance(1000);
    fail(B, 10);
    expect(lockOut.list()).toEqual([
      { address: A, remainingMs: 59_000 },
      { address: B, remainingMs: 60_000 },
    ]);
  });

  test("lift ends a lock, tells so once, and forgets the failures", () => {
    const { clock, told, lockOut, fail } = setUp();
    fail(A, 10);
    expect(lockOut.lift(B)).toBe(false);
    expect(lockOut.lift(A)).toBe(true);
    expect(lockOut.lift(A)).toBe(false);
    expect(lockOut.remainingMs(A)).toBe(0);
    fail(A, 9);
    expect(lockOut.remainingMs(A)).toBe(0);
    clock.advance(120_000);
    expect(told).toEqual([`0 +${A} 10 60000`, `0 -${A} lifted`]);
  });

  test("the wall clock has no say", () => {
    const { clock, lockOut, fail } = setUp();
    fail(A, 10);
    clock.stepWall(10 * 365 * 86_400_000);
    expect(lockOut.remainingMs(A)).toBe(60_000);
    clock.stepWall(-20 * 365 * 86_400_000);
    expect(lockOut.remainingMs(A)).toBe(60_000);
  });

  test("after disposal nothing is told any more", () => {
    const { clock, told, lockOut, fail } = setUp();
    fail(A, 10);
    lockOut[Symbol.dispose]();
    clock.advance(120_000);
    expect(told).toHaveLength(1);
  });

  describe("setLimits", () => {
    test("starts a lock where fewer failures are allowed, and ends it in time", () => {
      const { clock, told, lockOut, fail } = setUp();
      fail(A, 5);
      fail(B, 2);
      clock.advance(1000);
      lockOut.setLimits({ ...LIMITS, maxFailures: 3 });
      expect(told.splice(0)).toEqual([`1000 +${A} 3 59000`]);
      // The new number holds for who is not locked yet, too.
      fail(B);
      expect(told.splice(0)).toEqual([`1000 +${B} 3 59000`]);
      clock.advance(60_000);
      expect(told).toEqual([`60000 -${A} window_passed`, `60000 -${B} window_passed`]);
    });

    test("ends a lock where more failures are allowed", () => {
      const { told, lockOut, fail } = setUp();
      fail(A, 10);
      lockOut.setLimits({ ...LIMITS, maxFailures: 20 });
      expect(told).toEqual([`0 +${A} 10 60000`, `0 -${A} limits_changed`]);
      expect(lockOut.remainingMs(A)).toBe(0);
      fail(A, 9);
      expect(lockOut.remainingMs(A)).toBe(0);
      fail(A);
      expect(lockOut.remainingMs(A)).toBe(60_000);
    });

    test("ends a lock at once where the window shrinks below its age", () => {
      const { clock, told, lockOut, fail } = setUp();
      fail(A, 10);
      clock.advance(10_000);
      lockOut.setLimits({ ...LIMITS, windowMs: 10_000 });
      expect(told.at(-1)).toBe(`10000 -${A} limits_changed`);
      clock.advance(300_000);
      expect(told).toHaveLength(2);
    });

    test("lengthens a lock where the window grows, and tells the end then", () => {
      const { clock, told, lockOut, fail } = setUp();
      fail(A, 10);
      lockOut.setLimits({ ...LIMITS, windowMs: 120_000 });
      expect(told).toHaveLength(1);
      clock.advance(119_999);
      expect(told).toHaveLength(1);
      clock.advance(1);
      expect(told.at(-1)).toBe(`120000 -${A} window_passed`);
    });

    test("the same limits change nothing and tell nothing", () => {
      const { told, lockOut, fail } = setUp();
      fail(A, 10);
      lockOut.setLimits(LIMITS);
      expect(told).toHaveLength(1);
      expect(lockOut.remainingMs(A)).toBe(60_000);
    });
  });
});
