import { describe, expect, test } from "bun:test";
import { MemoryFailureStore } from "../../src/limit/memory-failure-store.ts";
import { randomFrom } from "../support/random.ts";

const LIMITS = { maxFailures: 10, windowMs: 60_000, maxAddresses: 65_536 };
const A = "192.0.2.1";
const B = "192.0.2.2";

function storeWith(limits: Partial<typeof LIMITS> = {}): MemoryFailureStore {
  return new MemoryFailureStore({ ...LIMITS, ...limits });
}

function addAll(store: MemoryFailureStore, address: string, timesMs: readonly number[]): void {
  for (const atMs of timesMs) store.add(address, atMs);
}

const times = (count: number, atMs: number) => Array<number>(count).fill(atMs);

describe("MemoryFailureStore", () => {
  test("locks at the tenth failure within the window, and not at the ninth", () => {
    const store = storeWith();
    for (let n = 1; n <= 9; n++) {
      expect(store.add(A, 59_900)).toBe(n);
      expect(store.remainingMs(A, 59_900)).toBe(0);
    }
    expect(store.add(A, 59_900)).toBe(10);
    expect(store.remainingMs(A, 59_900)).toBe(60_000);
    expect(store.lockedCount).toBe(1);
  });

  test("holds a lock to the millisecond: ten at 59.9 s keep it until 119.9 s", () => {
    const store = storeWith();
    addAll(store, A, times(10, 59_900));
    expect(store.remainingMs(A, 60_000)).toBe(59_900);
    expect(store.remainingMs(A, 119_899.5)).toBe(0.5);
    expect(store.remainingMs(A, 119_900)).toBe(0);
  });

  test("slides: what is older than the window does not count, a millisecond less does", () => {
    const store = storeWith();
    addAll(store, A, times(9, 0));
    expect(store.add(A, 60_000)).toBe(1);
    addAll(store, B, times(9, 1));
    expect(store.add(B, 60_000)).toBe(10);
  });

  test("ends a lock as the oldest failure ages, and the rest still counts", () => {
    const store = storeWith();
    addAll(store, A, [0, ...times(9, 30_000)]);
    expect(store.remainingMs(A, 30_000)).toBe(30_000);
    expect(store.endIfOver(A, 59_999)).toBe(false);
    expect(store.endIfOver(A, 60_000)).toBe(true);
    expect(store.endIfOver(A, 60_000)).toBe(false);
    expect(store.lockedCount).toBe(0);
    expect(store.add(A, 60_000)).toBe(10);
    expect(store.remainingMs(A, 60_000)).toBe(30_000);
  });

  test("counts each address for itself", () => {
    const store = storeWith();
    addAll(store, A, times(10, 0));
    expect(store.remainingMs(B, 0)).toBe(0);
    expect(store.add(B, 0)).toBe(1);
  });

  test("never lets more than maxFailures through in any window, and locks no one without cause", () => {
    const random = randomFrom(7);
    for (const maxFailures of [1, 2, 10]) {
      const store = storeWith({ maxFailures });
      const failures: number[] = [];
      let atMs = 0;
      for (let i = 0; i < 3000; i++) {
        atMs += random() < 0.05 ? random() * 90_000 : random() * 3000;
        const young = failures.filter((time) => time + 60_000 > atMs).length;
        const isLocked = store.remainingMs(A, atMs) > 0;
        expect(isLocked).toBe(young >= maxFailures);
        if (isLocked) continue;
        store.endIfOver(A, atMs);
        store.add(A, atMs);
        failures.push(atMs);
      }
    }
  });

  test("expire ends every lock that is over, names each once, and leaves the others", () => {
    const store = storeWith();
    addAll(store, A, times(10, 0));
    addAll(store, B, times(10, 1000));
    expect(store.nextEndMs()).toBe(60_000);
    expect(store.expire(59_999)).toEqual([]);
    expect(store.expire(60_000)).toEqual([A]);
    expect(store.expire(60_000)).toEqual([]);
    expect(store.nextEndMs()).toBe(61_000);
    expect(store.expire(61_000)).toEqual([B]);
    expect(store.nextEndMs()).toBeUndefined();
  });

  test("lockouts lists the locks of now only", () => {
    const store = storeWith();
    addAll(store, A, times(10, 0));
    addAll(store, B, times(10, 1000));
    store.add("192.0.2.3", 1000);
    expect(store.lockouts(1000)).toEqual([
      { address: A, remainingMs: 59_000 },
      { address: B, remainingMs: 60_000 },
    ]);
    expect(store.lockouts(60_000)).toEqual([{ address: B, remainingMs: 1000 }]);
  });

  test("forget forgets an address's failures, and tells whether it was locked", () => {
    const store = storeWith();
    addAll(store, A, times(10, 0));
    addAll(store, B, times(9, 0));
    expect(store.forget(A)).toBe(true);
    expect(store.forget(A)).toBe(false);
    expect(store.forget(B)).toBe(false);
    expect(store.forget("192.0.2.3")).toBe(false);
    expect(store.lockedCount).toBe(0);
    expect(store.add(A, 0)).toBe(1);
    expect(store.add(B, 0)).toBe(1);
  });

  test("a place that is used again begins empty", () => {
    const store = storeWith({ maxAddresses: 1 });
    addAll(store, A, times(9, 0));
    expect(store.add(B, 0)).toBe(1);
    expect(store.add(A, 0)).toBe(1);
  });

  test("at maxAddresses forgets the unlocked that was longest untouched, never a locked one", () => {
    const store = storeWith({ maxFailures: 2, maxAddresses: 3 });
    addAll(store, "locked", [0, 0]);
    store.add("old", 1);
    store.add("young", 2);
    store.add("new", 3);
    expect(store.remainingMs("locked", 3)).toBeGreaterThan(0);
    expect(store.add("young", 3)).toBe(2);
    expect(store.add("old", 3)).toBe(1);
  });

  test("a failure moves its address behind the others", () => {
    const store = storeWith({ maxFailures: 3, maxAddresses: 2 });
    store.add("first", 0);
    store.add("second", 1);
    store.add("first", 2);
    store.add("third", 3);
    expect(store.add("first", 4)).toBe(3);
  });

  test("65,536 locked at once stay locked, and only then gives a lock up for a new address: the first", () => {
    const store = storeWith({ maxFailures: 2 });
    for (let i = 0; i < 65_536; i++) addAll(store, `a${i}`, [0, 0]);
    expect(store.lockedCount).toBe(65_536);
    addAll(store, "one more", [1, 1]);
    expect(store.lockedCount).toBe(65_536);
    expect(store.remainingMs("one more", 1)).toBe(60_000);
    expect(store.remainingMs("a0", 1)).toBe(0);
    expect(store.remainingMs("a1", 1)).toBe(59_999);
    expect(store.remainingMs("a65535", 1)).toBe(59_999);
    // Whoever is new now goes first, and the locks stay.
    store.forget("a1");
    for (let i = 0; i < 1000; i++) store.add(`b${i}`, 1);
    expect(store.lockedCount).toBe(65_535);
  });

  test("a million addresses stay within 16 MiB, and none that is locked is forgotten", async () => {
    const child = Bun.spawn(
      [
        process.execPath,
        new URL("../support/many-addresses.ts", import.meta.url).pathname,
        "1000000",
      ],
      { stdout: "pipe", stderr: "inherit" },
    );
    const result = (await new Response(child.stdout).json()) as Record<
      "stillLocked" | "lockedCount" | "bytes",
      number
    >;
    expect(result.stillLocked).toBe(1000);
    expect(result.lockedCount).toBe(1000);
    expect(result.bytes).toBeLessThan(16 * 1024 * 1024);
    // Less would mean that nothing was measured: the times alone are 5 MiB.
    expect(result.bytes).toBeGreaterThan(5 * 1024 * 1024);
  }, 90_000);

  describe("resize", () => {
    test("keeps failures that were counted when maxFailures falls, and locks by the new number", () => {
      const store = storeWith();
      addAll(store, A, [1, 2, 3, 4]);
      addAll(store, B, [1, 2]);
      store.resize({ ...LIMITS, maxFailures: 3 });
      expect(store.lockouts(4)).toEqual([{ address: A, remainingMs: 59_998 }]);
      expect(store.add(B, 5)).toBe(3);
    });

    test("ends a lock when maxFailures rises, and still counts what there was", () => {
      const store = storeWith({ maxFailures: 3 });
      addAll(store, A, [1, 2, 3]);
      store.resize({ ...LIMITS, maxFailures: 5 });
      expect(store.lockedCount).toBe(0);
      expect(store.add(A, 4)).toBe(4);
      expect(store.add(A, 5)).toBe(5);
      expect(store.remainingMs(A, 5)).toBe(59_996);
    });

    test("takes another window at once, for the locks that are", () => {
      const store = storeWith();
      addAll(store, A, times(10, 0));
      store.resize({ ...LIMITS, windowMs: 1000 });
      expect(store.remainingMs(A, 999)).toBe(1);
      store.resize({ ...LIMITS, windowMs: 120_000 });
      expect(store.remainingMs(A, 999)).toBe(119_001);
    });

    test("locks who has failed often enough in the longer window", () => {
      const store = storeWith({ maxFailures: 2 });
      addAll(store, A, [0, 70_000]);
      expect(store.remainingMs(A, 70_000)).toBe(0);
      store.resize({ ...LIMITS, maxFailures: 2, windowMs: 120_000 });
      expect(store.remainingMs(A, 70_000)).toBe(50_000);
    });

    test("drops the unlocked first when there is less room", () => {
      const store = storeWith({ maxFailures: 2 });
      addAll(store, A, [0, 0]);
      for (let i = 0; i < 10; i++) store.add(`a${i}`, 1);
      store.resize({ ...LIMITS, maxFailures: 2, maxAddresses: 2 });
      expect(store.remainingMs(A, 1)).toBe(59_999);
      expect(store.add("a9", 1)).toBe(2);
    });
  });

  test.each([
    { name: "maxFailures 0", limits: { maxFailures: 0 } },
    { name: "maxFailures 1.5", limits: { maxFailures: 1.5 } },
    { name: "maxFailures NaN", limits: { maxFailures: Number.NaN } },
    { name: "maxAddresses 0", limits: { maxAddresses: 0 } },
    { name: "windowMs 0", limits: { windowMs: 0 } },
    { name: "windowMs NaN", limits: { windowMs: Number.NaN } },
  ])("refuses limits that are not positive: $name", ({ limits }) => {
    expect(() => storeWith(limits)).toThrow(RangeError);
    expect(() => storeWith().resize({ ...LIMITS, ...limits })).toThrow(RangeError);
  });
});
