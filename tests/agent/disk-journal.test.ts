import {
  appendFileSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { FakeClock } from "../support/fake-clock.ts";
import { diskJournal, framesAfter, keepingLog } from "../support/journal.ts";
import { randomFrom } from "../support/random.ts";
import { tempDir } from "../support/temp-dir.ts";

const frame = (seq: number, event: string) => `{"type":"event","seq":${seq},"event":${event}}`;
const filesIn = (dir: string) =>
  readdirSync(dir)
    .filter((name) => name.endsWith(".log"))
    .toSorted()
    .map((name) => join(dir, name));

describe("DiskJournal", () => {
  test("numbers go on across ends, and every frame comes back byte for byte", () => {
    using dir = tempDir();
    const events = ['{"a":1}', '{"text":"é\u2028\u{1f95a} \\u0041"}', '{"nul":"\\u0000"}', "{}"];
    const first = diskJournal(dir.path);
    expect(first.lastSeq).toBe(0);
    expect(first.append(events[0] as string)).toEqual({ seq: 1, frame: frame(1, '{"a":1}') });
    first.append(events[1] as string);
    first.close();
    const second = diskJournal(dir.path);
    expect(second.lastSeq).toBe(2);
    second.append(events[2] as string);
    // No close: the process was killed.
    const third = diskJournal(dir.path);
    expect(third.append(events[3] as string).seq).toBe(4);
    const all = events.map((event, i) => frame(i + 1, event));
    expect(framesAfter(third, 0)).toEqual(all);
    expect(framesAfter(diskJournal(dir.path), 2)).toEqual(all.slice(2));
    expect(third.reaches(0)).toBe(true);
    expect(third.reaches(4)).toBe(true);
    expect(third.reaches(5)).toBe(false);
  });

  test("only the owner may read the files", () => {
    using dir = tempDir();
    const path = join(dir.path, "sessions", "x", "journal");
    diskJournal(path).append("{}");
    expect(statSync(path).mode & 0o777).toBe(0o700);
    for (const name of readdirSync(path))
      expect(statSync(join(path, name)).mode & 0o777).toBe(0o600);
  });

  test("a torn end, cut at any byte, costs the events that it cuts and no other", () => {
    using dir = tempDir();
    const journal = diskJournal(dir.path);
    const frames: string[] = [];
    for (let i = 0; i < 4; i++) frames.push(journal.append(`{"n":"${"é".repeat(i)}"}`).frame);
    const [file] = filesIn(dir.path) as [string];
    const whole = readFileSync(file);
    const ends = [...whole.entries()].filter(([, byte]) => byte === 10).map(([at]) => at + 1);
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(file, whole.subarray(0, length));
      const { log, lines } = keepingLog();
      const repaired = diskJournal(dir.path, { log });
      const kept = ends.filter((end) => end <= length).length;
      expect(framesAfter(repaired, 0)).toEqual(frames.slice(0, kept));
      const isTorn = kept > 0 && length !== ends[kept - 1];
      expect(lines.filter(({ event }) => event === "journal_repaired")).toHaveLength(
        isTorn ? 1 : 0,
      );
      // What is appended now stands behind what was kept, and is read again.
      repaired.append('{"new":1}');
      repaired.close();
      const again = diskJournal(dir.path);
      expect(framesAfter(again, 0)).toEqual([
        ...frames.slice(0, kept),
        frame(kept + 1, '{"new":1}'),
      ]);
      again.close();
      writeFileSync(file, whole);
    }
  });

  test("garbage behind the end, as a crashed machine leaves it, is cut off", () => {
    using dir = tempDir();
    const journal = diskJournal(dir.path);
    journal.append('{"a":1}');
    const [file] = filesIn(dir.path) as [string];
    for (const garbage of ["\0".repeat(4096), '00000000 {"type":"event"}\n', "\n\n", "x"]) {
      const length = statSync(file).size;
      appendFileSync(file, garbage);
      expect(framesAfter(diskJournal(dir.path), 0)).toEqual([frame(1, '{"a":1}')]);
      expect(statSync(file).size).toBe(length);
    }
  });

  test("a flipped bit anywhere is found: what is replayed is whole, and who needs more is told to resync", () => {
    using dir = tempDir();
    const journal = diskJournal(dir.path);
    const frames: string[] = [];
    for (let i = 0; i < 20; i++) frames.push(journal.append(`{"n":${i}}`).frame);
    journal.close();
    const [file] = filesIn(dir.path) as [string];
    const whole = readFileSync(file);
    const random = randomFrom(6);
    for (let round = 0; round < 200; round++) {
      const bytes = Buffer.from(whole);
      const at = Math.floor(random() * bytes.length);
      bytes[at] = (bytes[at] as number) ^ (1 << Math.floor(random() * 8));
      writeFileSync(file, bytes);
      const damaged = diskJournal(dir.path);
      for (let since = 0; since <= damaged.lastSeq; since++) {
        if (damaged.reaches(since))
          expect(framesAfter(damaged, since)).toEqual(frames.slice(since, damaged.lastSeq));
      }
      damaged.close();
    }
  });

  test("keeps at least maxEvents, and an eighth more at most; older means resync", () => {
    using dir = tempDir();
    const journal = diskJournal(dir.path, { maxEvents: 800 });
    for (let i = 0; i < 5000; i++) journal.append(`{"n":${i}}`);
    const check = (one: typeof journal) => {
      expect(one.lastSeq).toBe(5000);
      expect(one.reaches(5000 - 800)).toBe(true);
      expect(one.reaches(5000 - 901)).toBe(false);
      expect(framesAfter(one, 4200)).toHaveLength(800);
      expect(one.lengthAfter(4200)).toBeGreaterThan(800 * 40);
    };
    check(journal);
    journal.close();
    check(diskJournal(dir.path, { maxEvents: 800 }));
  });

  test("keeps no more than maxBytes and a file on disk, whatever comes", () => {
    using dir = tempDir();
    const journal = diskJournal(dir.path, { maxBytes: 1 << 20 });
    const size = () => filesIn(dir.path).reduce((sum, file) => sum + statSync(file).size, 0);
    for (let i = 0; i < 400; i++) {
      journal.append(JSON.stringify("x".repeat(20_000)));
      expect(size()).toBeLessThan(1.25 * (1 << 20));
    }
    const kept = [...Array(401).keys()].filter((seq) => journal.reaches(seq));
    expect(kept.length * 20_000).toBeGreaterThan(1 << 20);
  });

  test("many readers at many places get the same frames as one", () => {
    using dir = tempDir();
    const journal = diskJournal(dir.path, { maxEvents: 20_000 });
    const frames: string[] = [];
    for (let i = 0; i < 6000; i++) frames.push(journal.append(`{"n":${i}}`).frame);
    const random = randomFrom(3);
    const places = Array.from({ length: 20 }, () => Math.floor(random() * 6000));
    for (let step = 0; step < 5000; step++) {
      const reader = Math.floor(random() * places.length);
      const place = places[reader] as number;
      expect(journal.after(place)?.frame).toBe(frames[place] as string);
      places[reader] = place + 1 < 6000 ? place + 1 : 0;
    }
    for (const seq of [6000, 6001, -1e9, 1.5, Number.NaN])
      expect([seq, journal.after(seq)?.seq]).toEqual([seq, seq === -1e9 ? 1 : undefined]);
  });

  test("after a crash of the machine numbers are never used again, and everybody resyncs", () => {
    using dir = tempDir();
    const journal = diskJournal(dir.path);
    for (let i = 0; i < 10; i++) journal.append("{}");
    // The disk lost the last events, which clients have seen.
    const [file] = filesIn(dir.path) as [string];
    truncateSync(file, Math.floor(statSync(file).size / 2));
    const { log, lines } = keepingLog();
    const next = diskJournal(dir.path, { bootId: "next-boot", log });
    expect(lines.map(({ event }) => event)).toContain("journal_gap");
    for (let seen = 0; seen <= 10; seen++) expect(next.reaches(seen)).toBe(false);
    const { seq } = next.append("{}");
    expect(seq).toBeGreaterThan(1000);
    expect(next.reaches(seq - 1)).toBe(true);
    next.append("{}");
    next.close();
    // A restart of Nest on the same machine leaves no gap, nor does a reboot after a clean end.
    const later = diskJournal(dir.path, { bootId: "third-boot" });
    expect(later.append("{}").seq).toBe(seq + 2);
    expect(later.reaches(5)).toBe(false);
    expect(framesAfter(later, seq - 1)).toHaveLength(3);
  });

  test("where runs of the machine have no names, an end without close counts as the machine's", () => {
    using dir = tempDir();
    diskJournal(dir.path, { bootId: undefined }).append("{}");
    const next = diskJournal(dir.path, { bootId: undefined });
    expect(next.reaches(1)).toBe(false);
  });

  test("a disk that takes nothing: events wait in order, unseen, and are all there when it does again", async () => {
    using dir = tempDir();
    const clock = new FakeClock();
    const journal = diskJournal(dir.path, { clock, maxEvents: 80 });
    for (let i = 0; i < 10; i++) journal.append(`{"n":${i}}`);
    // The next file's name is taken by a folder: opening it fails, as it does for want of inodes.
    const { mkdirSync, rmdirSync } = await import("node:fs");
    const blocked = join(dir.path, "0000000000000011.log");
    mkdirSync(blocked);
    for (let i = 10; i < 15; i++) journal.append(`{"n":${i}}`);
    expect(journal.isBehind).toBe(true);
    expect(journal.lastSeq).toBe(10);
    expect(framesAfter(journal, 0)).toHaveLength(10);
    let isThere = false;
    void journal.caughtUp()?.then(() => (isThere = true));
    clock.advance(1000);
    await Promise.resolve();
    expect(isThere).toBe(false);
    rmdirSync(blocked);
    clock.advance(250);
    await Promise.resolve();
    await Promise.resolve();
    expect(isThere).toBe(true);
    expect(journal.isBehind).toBe(false);
    expect(journal.caughtUp()).toBeUndefined();
    const frames = Array.from({ length: 15 }, (_, i) => frame(i + 1, `{"n":${i}}`));
    expect(framesAfter(journal, 0)).toEqual(frames);
    expect(framesAfter(diskJournal(dir.path), 0)).toEqual(frames);
  });
});
