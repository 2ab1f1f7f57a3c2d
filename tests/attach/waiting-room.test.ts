import { describe, expect, test } from "bun:test";
import { LIMITS } from "../../src/attach/protocol.ts";
import { type Waiting, WaitingRoom } from "../../src/attach/waiting-room.ts";

/** A room with the real limits, and what enters it by name; `gone` lists who was sent away, in order. */
function setUp() {
  const room = new WaitingRoom({
    maxPerAddress: LIMITS.maxWaitingPerAddress,
    maxInAll: LIMITS.maxWaiting,
  });
  const gone: string[] = [];
  const one = (address: string, name = address): Waiting => ({
    address,
    evict: () => gone.push(name),
  });
  return { room, gone, one };
}

/** Fills the room: `busy` with 16, the rest with one each. */
function fill({ room, one }: ReturnType<typeof setUp>): void {
  for (let i = 0; i < 100; i++) room.enter(one(`quiet${i}`));
  for (let i = 0; i < 16; i++) room.enter(one("busy", `busy#${i}`));
  for (let i = 100; room.size < 256; i++) room.enter(one(`quiet${i}`));
}

describe("WaitingRoom", () => {
  test("has 16 places for an address, and the 17th is turned away without harm to the others", () => {
    const { room, gone, one } = setUp();
    for (let i = 0; i < 16; i++) expect(room.enter(one("a"))).toBe(true);
    expect(room.enter(one("a"))).toBe(false);
    expect(room.size).toBe(16);
    expect(room.enter(one("b"))).toBe(true);
    expect(gone).toEqual([]);
  });

  test("a place is free again once someone leaves", () => {
    const { room, one } = setUp();
    const all = Array.from({ length: 16 }, () => one("a"));
    for (const each of all) room.enter(each);
    room.leave(all[7]!);
    expect(room.size).toBe(15);
    expect(room.enter(one("a"))).toBe(true);
    expect(room.enter(one("a"))).toBe(false);
  });

  test("has 256 places in all; then the oldest of the busiest address goes", () => {
    const setup = setUp();
    fill(setup);
    const { room, gone, one } = setup;
    expect(gone).toEqual([]);
    expect(room.enter(one("owner"))).toBe(true);
    expect(gone).toEqual(["busy#0"]);
    expect(room.size).toBe(256);
    room.enter(one("owner"));
    expect(gone).toEqual(["busy#0", "busy#1"]);
  });

  test("the busiest is who has most places now, not who came first or had most", () => {
    const setup = setUp();
    const { room, gone, one } = setup;
    const left = Array.from({ length: 10 }, (_, i) => one("left", `left#${i}`));
    for (const each of left) room.enter(each);
    for (const each of left.slice(0, 9)) room.leave(each);
    for (let i = 0; i < 3; i++) room.enter(one("three", `three#${i}`));
    for (let i = 0; room.size < 256; i++) room.enter(one(`quiet${i}`));
    room.enter(one("owner"));
    expect(gone).toEqual(["three#0"]);
  });

  test("a flood from one address can't send anyone else away", () => {
    const setup = setUp();
    fill(setup);
    const { room, gone, one } = setup;
    for (let i = 0; i < 1000; i++) room.enter(one("busy", `again#${i}`));
    expect(gone).toEqual([]);
  });

  test("a flood from many addresses sends away its own, however long it lasts, and whoever is new gets in", () => {
    const { room, gone, one } = setUp();
    for (let i = 0; i < 5000; i++) {
      expect(room.enter(one(`attacker${i % 100}`, `attacker${i}`)) || room.size <= 256).toBe(true);
    }
    const before = gone.length;
    expect(room.enter(one("owner"))).toBe(true);
    expect(gone).toHaveLength(before + 1);
    // While the attackers hold two places each, the owner with one is not the busiest.
    for (let i = 0; i < 100; i++) room.enter(one(`late${i % 50}`, `late${i}`));
    expect(gone).not.toContain("owner");
    expect(room.size).toBeLessThanOrEqual(256);
  });

  test("leave does nothing for one that is not there, or has left", () => {
    const { room, one } = setUp();
    const there = one("a");
    room.enter(there);
    room.leave(one("a"));
    room.leave(one("b"));
    expect(room.size).toBe(1);
    room.leave(there);
    room.leave(there);
    expect(room.size).toBe(0);
  });

  test("one that leaves while it is sent away is counted out once", () => {
    const { room } = setUp();
    const small = new WaitingRoom({ maxPerAddress: 1, maxInAll: 1 });
    const first: Waiting = { address: "a", evict: () => small.leave(first) };
    small.enter(first);
    expect(small.enter({ address: "b", evict: () => {} })).toBe(true);
    expect(small.size).toBe(1);
    expect(room.size).toBe(0);
  });
});
