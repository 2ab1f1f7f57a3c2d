import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import { MemoryJournal } from "../../src/agent/journal.ts";
import { randomFrom } from "../support/random.ts";

const journalWith = (options: { firstSeq?: number; maxEvents?: number; maxLength?: number } = {}) =>
  new MemoryJournal({ firstSeq: 1, maxEvents: 10_000, maxLength: 64 << 20, ...options });

/** Frames after `seq`, as a reader takes them. */
function readAfter(journal: MemoryJournal, seq: number): string[] {
  const frames: string[] = [];
  for (let entry = journal.after(seq); entry; entry = journal.after(entry.seq))
    frames.push(entry.frame);
  return frames;
}

describe("MemoryJournal", () => {
  test("numbers events from firstSeq on, one by one, and frames them byte for byte", () => {
    const journal = journalWith({ firstSeq: 41 });
    expect(journal.lastSeq).toBe(40);
    const event = '{"type":"message_update","delta":"é\u2028 \\u0041"}';
    expect(journal.append(event)).toEqual({
      seq: 41,
      frame: `{"type":"event","seq":41,"event":${event}}`,
    });
    expect(journal.append("{}").seq).toBe(42);
    expect(journal.lastSeq).toBe(42);
  });

  test("after gives the entry that follows, or none", () => {
    const journal = journalWith();
    for (let i = 1; i <= 3; i++) journal.append(`{"n":${i}}`);
    expect(journal.after(0)?.seq).toBe(1);
    expect(journal.after(2)?.seq).toBe(3);
    for (const seq of [3, 4, 1e15, -1, -1e15, Number.NaN, 1.5]) {
      expect(journal.after(seq)).toBeUndefined();
    }
  });

  test("reaches exactly those numbers after which nothing is missing", () => {
    const journal = journalWith({ maxEvents: 3 });
    expect(journal.reaches(0)).toBe(true);
    expect(journal.reaches(-1)).toBe(false);
    expect(journal.reaches(1)).toBe(false);
    for (let i = 1; i <= 10; i++) journal.append("{}");
    expect([6, 7, 8, 9, 10, 11].filter((seq) => journal.reaches(seq))).toEqual([7, 8, 9, 10]);
    expect(journal.after(6)).toBeUndefined();
    expect(journal.after(7)?.seq).toBe(8);
    expect(journal.reaches(Number.NaN)).toBe(false);
  });

  test("keeps the newest maxEvents, and no more", () => {
    const journal = journalWith({ maxEvents: 10_000 });
    for (let i = 1; i <= 35_000; i++) journal.append("{}");
    expect(readAfter(journal, 25_000)).toHaveLength(10_000);
    expect(journal.reaches(25_000)).toBe(true);
    expect(journal.reaches(24_999)).toBe(false);
  });

  test("keeps no more than maxLength of frames", () => {
    const frame = journalWith({ firstSeq: 100 }).append("{}").frame.length;
    const journal = journalWith({ firstSeq: 100, maxLength: 3 * frame });
    for (let i = 0; i < 10; i++) journal.append("{}");
    expect(readAfter(journal, 106)).toHaveLength(3);
    expect(journal.reaches(106)).toBe(true);
    expect(journal.reaches(105)).toBe(false);
  });

  test("what is forgotten costs no memory, also while there is room for more events", () => {
    const journal = journalWith({ maxLength: 4 << 20 });
    const heapBytes = () => {
      Bun.gc(true);
      return heapStats().heapSize;
    };
    const beforeBytes = heapBytes();
    for (let i = 0; i < 200; i++) journal.append(JSON.stringify(String(i).padStart(1 << 20, "x")));
    expect(heapBytes() - beforeBytes).toBeLessThan(32 << 20);
    expect(journal.reaches(journal.lastSeq - 3)).toBe(true);
  });

  test("an event longer than all that may be kept is numbered, and not kept", () => {
    const journal = journalWith({ maxLength: 100 });
    journal.append("{}");
    const entry = journal.append(JSON.stringify("x".repeat(200)));
    expect(entry.seq).toBe(2);
    expect(journal.lastSeq).toBe(2);
    expect(journal.reaches(1)).toBe(false);
    expect(journal.reaches(2)).toBe(true);
    expect(journal.lengthAfter(2)).toBe(0);
    expect(journal.append("{}").seq).toBe(3);
    expect(readAfter(journal, 2)).toHaveLength(1);
  });

  test("lengthAfter is the length of the frames that follow", () => {
    const journal = journalWith();
    expect(journal.lengthAfter(0)).toBe(0);
    const frames = Array.from(
      { length: 5 },
      (_, i) => journal.append(JSON.stringify("y".repeat(i * 10))).frame,
    );
    for (let seq = 0; seq <= 5; seq++) {
      expect(journal.lengthAfter(seq)).toBe(frames.slice(seq).join("").length);
    }
  });

  test("agrees with a list of all events, over random sizes and limits", () => {
    const random = randomFrom(11);
    for (let round = 0; round < 60; round++) {
      const maxEvents = 1 + Math.floor(random() * 8);
      const maxLength = 60 + Math.floor(random() * 400);
      const journal = journalWith({ firstSeq: 1, maxEvents, maxLength });
      const all: string[] = [];
      for (let i = 0; i < 60; i++) {
        all.push(journal.append(JSON.stringify("z".repeat(Math.floor(random() * 60)))).frame);
        let kept = 0;
        let length = 0;
        while (kept < Math.min(all.length, maxEvents)) {
          const next = (all.at(-1 - kept) as string).length;
          if (length + next > maxLength) break;
          length += next;
          kept++;
        }
        const oldest = all.length - kept;
        expect(journal.reaches(oldest)).toBe(true);
        if (oldest > 0) expect(journal.reaches(oldest - 1)).toBe(false);
        expect(readAfter(journal, oldest)).toEqual(all.slice(oldest));
        expect(journal.lengthAfter(oldest)).toBe(length);
      }
    }
  });
});
