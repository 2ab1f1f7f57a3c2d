import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "../../src/cli/clock.ts";
import type { Clock } from "../../src/clock.ts";
import type { VaultChange } from "../../src/vault/change-set.ts";
import { Root } from "../../src/vault/walk.ts";
import { VaultWatch } from "../../src/vault/watch.ts";
import { swap } from "../support/swapper.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

// Waits for what comes, however slow the machine: a time limit would tell of the machine.
setDefaultTimeout(60_000);

let dir: ReturnType<typeof tempDir>;
let vault: string;
let outside: string;
beforeEach(() => {
  dir = tempDir();
  vault = join(dir.path, "vault");
  outside = join(dir.path, "outside");
  mkdirSync(join(vault, "notes", "deep"), { recursive: true });
  mkdirSync(join(outside, "in"), { recursive: true });
  writeFileSync(join(vault, "notes", "a.md"), "one");
});
afterEach(() => dir[Symbol.dispose]());

/** A watch and all that it has told. */
class Watched implements AsyncDisposable {
  readonly told: (VaultChange & { at: number })[] = [];
  readonly warnings: string[] = [];
  resyncs = 0;
  frames = 0;
  readonly #root: Root;
  readonly watch: VaultWatch;

  constructor(path: string, mayUseInotify = true, clock: Clock = systemClock, maxWatches = 65_536) {
    this.#root = Root.open(path);
    this.watch = new VaultWatch({
      root: this.#root,
      clock,
      mayUseInotify,
      maxWatches,
      warn: (reason) => this.warnings.push(reason),
      changed: ({ changes, resync }) => {
        this.frames++;
        if (resync) this.resyncs++;
        this.told.push(...changes.map((change) => ({ ...change, at: performance.now() })));
      },
    });
  }

  static async start(path = vault, mayUseInotify = true): Promise<Watched> {
    const watched = new Watched(path, mayUseInotify);
    await watched.watch.ready;
    // What every watch begins with.
    expect({ resyncs: watched.resyncs, told: watched.told }).toEqual({ resyncs: 1, told: [] });
    watched.resyncs = 0;
    return watched;
  }

  /** `kind path`, each once, in the order told. */
  get lines(): string[] {
    return [...new Set(this.told.map(({ kind, path }) => `${kind} ${path}`))];
  }

  has(line: string): Promise<true> {
    return until(line, () => this.lines.includes(line) || undefined);
  }

  /** All that was told by the time that a file, made now, is told of. */
  async settled(): Promise<string[]> {
    const name = `mark-${this.told.length}-${this.frames}.md`;
    writeFileSync(join(vault, name), "");
    await this.has(`created ${name}`);
    return this.lines.filter((line) => !line.includes("mark-"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.watch[Symbol.asyncDispose]();
    this.#root.close();
  }
}

const write = (path: string, text = String(Math.random())) =>
  writeFileSync(join(vault, path), text);

describe.each([
  { name: "told by the system", mayUseInotify: true },
  { name: "looking again and again", mayUseInotify: false },
])("VaultWatch, $name", ({ mayUseInotify }) => {
  const start = () => Watched.start(vault, mayUseInotify);

  test("tells what was there before of nothing", async () => {
    await using watched = await start();
    expect(await watched.settled()).toEqual([]);
  });

  test("tells of a file that is made, written to and removed", async () => {
    await using watched = await start();
    write("notes/b.md", "one");
    await watched.has("created notes/b.md");
    write("notes/b.md", "two, longer");
    await watched.has("changed notes/b.md");
    rmSync(join(vault, "notes/b.md"));
    await watched.has("removed notes/b.md");
    expect(watched.resyncs).toBe(0);
  });

  test("a file that is replaced by another has changed, and its temporary name is not told", async () => {
    await using watched = await start();
    write("notes/a.md.tmp");
    renameSync(join(vault, "notes/a.md.tmp"), join(vault, "notes/a.md"));
    await watched.has("changed notes/a.md");
    expect(await watched.settled()).toEqual(["changed notes/a.md"]);
  });

  test("a link is told of, and what it leads to is not", async () => {
    await using watched = await start();
    symlinkSync(outside, join(vault, "way-out"));
    await watched.has("created way-out");
    writeFileSync(join(outside, "secret.md"), "x");
    writeFileSync(join(outside, "in", "secret.md"), "x");
    expect((await watched.settled()).join()).not.toContain("secret");
  });

  test("lets go of everything", async () => {
    const before = descriptors();
    {
      await using watched = await start();
      expect(watched.watch.size.entries).toBe(3);
    }
    expect(descriptors()).toBe(before);
  });

  // Looking is slow, and what it sees is told by the same code: a few are enough.
  if (!mayUseInotify) return;

  test("a renamed file is one removed and one created", async () => {
    await using watched = await start();
    renameSync(join(vault, "notes/a.md"), join(vault, "notes/z.md"));
    expect(await watched.settled()).toEqual(["removed notes/a.md", "created notes/z.md"]);
  });

  test("folders made at once with what is in them are told whole, and watched from then on", async () => {
    await using watched = await start();
    mkdirSync(join(vault, "x/y/z"), { recursive: true });
    write("x/y/z/f.md");
    expect((await watched.settled()).toSorted()).toEqual([
      "created x",
      "created x/y",
      "created x/y/z",
      "created x/y/z/f.md",
    ]);
    write("x/y/z/f.md", "later and longer than a number");
    await watched.has("changed x/y/z/f.md");
  });

  test("a folder that is moved is removed with all that was in it, and told under its new name from then on", async () => {
    write("notes/deep/f.md");
    await using watched = await start();
    renameSync(join(vault, "notes"), join(vault, "moved"));
    // Another one where it was: both must be told of, each under its own name.
    mkdirSync(join(vault, "notes"));
    await watched.has("created moved/deep/f.md");
    await watched.has("removed notes/deep/f.md");
    write("moved/deep/g.md");
    write("notes/new.md");
    await watched.has("created moved/deep/g.md");
    await watched.has("created notes/new.md");
    expect(watched.lines).not.toContain("created notes/deep/g.md");
  });

  test("a folder that is moved out of the vault is not told of any more", async () => {
    await using watched = await start();
    renameSync(join(vault, "notes"), join(outside, "notes"));
    await watched.has("removed notes/a.md");
    writeFileSync(join(outside, "notes", "secret.md"), "x");
    expect((await watched.settled()).join()).not.toContain("secret");
  });

  test("the trash, git's files and Nest's own are not told of; other hidden ones are", async () => {
    await using watched = await start();
    for (const path of [".trash/x", ".git/objects", "notes/.git", ".nest-tmp", ".obsidian"]) {
      mkdirSync(join(vault, path), { recursive: true });
      write(`${path}/f`);
    }
    await watched.has("created .obsidian/f");
    expect((await watched.settled()).toSorted()).toEqual([
      "created .obsidian",
      "created .obsidian/f",
    ]);
  });

  test("names that are no UTF-8 are left out; odd ones that are, are not", async () => {
    await using watched = await start();
    writeFileSync(Buffer.from(`${vault}/notes/\xff\xfe`, "latin1"), "x");
    write("notes/line\nbreak");
    write("notes/🔑");
    write("notes/back\\slash");
    expect((await watched.settled()).toSorted()).toEqual([
      "created notes/line\nbreak",
      "created notes/🔑",
    ]);
  });

  test("a file in the place of a folder, and the reverse", async () => {
    await using watched = await start();
    rmSync(join(vault, "notes"), { recursive: true });
    write("notes");
    await watched.has("removed notes/a.md");
    await watched.has("changed notes");
    rmSync(join(vault, "notes"));
    mkdirSync(join(vault, "notes"));
    write("notes/b.md");
    await watched.has("created notes/b.md");
  });
});

/** Descriptors of this process for the test's folder and for inotify: others come and go with the test runner. */
function descriptors(path = dir.path): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${descriptor}`);
      return target.startsWith(path) || target.includes("inotify");
    } catch {
      return false;
    }
  }).length;
}

describe("VaultWatch", () => {
  test("tells of a change within a second, also while it is written to again and again", async () => {
    await using watched = await Watched.start();
    const startMs = performance.now();
    // Written to more often than any pause between changes would wait for.
    while (!watched.lines.includes("changed notes/a.md")) {
      appendFileSync(join(vault, "notes/a.md"), "x");
      if (performance.now() - startMs > 20_000) throw new Error("never told");
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  test("a write that leaves size and time stamp as they were is told, as long as the stamp is fresh", async () => {
    const stamp = new Date("2027-01-01T00:00:00Z");
    const file = join(vault, "notes/a.md");
    utimesSync(file, stamp, stamp);
    // The time is that of the stamp: another write in the same tick of the file system's clock would not show.
    await using watched = new Watched(vault, true, {
      ...systemClock,
      wallMs: () => stamp.getTime() + 3,
    });
    await watched.watch.ready;
    writeFileSync(file, "two");
    utimesSync(file, stamp, stamp);
    await watched.has("changed notes/a.md");
  });

  test("events that were lost are made up for, and the loss is told", async () => {
    await using watched = await Watched.start();
    // This process can't read the queue, of 16,384 events by default, while it writes.
    for (let i = 0; i < 6000; i++) {
      write(`notes/n${i % 100}.md`, "x".repeat(1 + (i % 7)));
      write(`notes/deep/n${i % 100}.md`, "x".repeat(1 + (i % 5)));
    }
    mkdirSync(join(vault, "late"));
    write("late/f.md");
    await until("the loss is told", () => watched.resyncs > 0 || undefined);
    await watched.has("created late/f.md");
    write("late/f.md", "and on it goes");
    await watched.has("changed late/f.md");
  });

  test("more than a thousand changes at once are one resync", async () => {
    await using watched = await Watched.start();
    mkdirSync(join(vault, "many"));
    for (let i = 0; i < 3000; i++) write(`many/${i}`);
    await until("it is told", () => watched.resyncs > 0 || undefined);
    await watched.settled();
    expect(watched.told.length).toBeLessThan(3000);
    rmSync(join(vault, "many/7"));
    await watched.has("removed many/7");
  });

  test("more folders than can be watched: the owner is told, and changes are seen all the same", async () => {
    for (let i = 0; i < 20; i++) mkdirSync(join(vault, `${i}`));
    await using watched = new Watched(vault, true, systemClock, 5);
    await watched.watch.ready;
    expect(watched.warnings).toEqual([expect.stringContaining("max_user_watches")]);
    for (let i = 0; i < 20; i++) write(`${i}/f.md`);
    for (let i = 0; i < 20; i++) await watched.has(`created ${i}/f.md`);
    expect(watched.watch.size.watches).toBe(5);
  });

  test("a folder that is swapped for a link all the time never leads out", async () => {
    mkdirSync(join(vault, "swapped", "in"), { recursive: true });
    mkdirSync(join(outside, "swapped", "in"), { recursive: true });
    writeFileSync(join(outside, "swapped", "SECRET"), "");
    writeFileSync(join(outside, "swapped", "in", "SECRET"), "");
    symlinkSync(join(outside, "swapped"), join(vault, "link"));
    await using watched = await Watched.start();
    {
      await using _ = await swap(join(vault, "swapped"), join(vault, "link"));
      const endMs = performance.now() + 3000;
      for (let i = 0; performance.now() < endMs; i++) {
        writeFileSync(join(outside, "swapped", "in", `SECRET${i % 50}`), "");
        writeFileSync(join(outside, "swapped", `SECRET${i % 50}`), "");
        if (i % 50 === 0) await Bun.sleep(1);
      }
    }
    expect((await watched.settled()).filter((line) => line.includes("SECRET"))).toEqual([]);
  });

  test("50,000 files in 5,000 folders: one descriptor, and the server goes on", async () => {
    // In memory where that can be had: making and removing so many is most of the work.
    using shm = existsSync("/dev/shm") ? tempDir("/dev/shm") : tempDir();
    const large = shm.path;
    for (let i = 0; i < 5000; i++) {
      const folder = join(large, `${i % 50}`, `${i}`);
      mkdirSync(folder, { recursive: true });
      for (let n = 0; n < 10; n++) writeFileSync(join(folder, `${n}.md`), "");
    }
    const count = () => descriptors(large);
    const before = count();
    await using watched = new Watched(large);
    let turns = 0;
    const seen = { ready: false };
    void watched.watch.ready.then(() => (seen.ready = true));
    let most = 0;
    while (!seen.ready) {
      turns++;
      most = Math.max(most, count());
      await Bun.sleep(1);
    }
    // Read in one go this would be a handful of turns.
    expect(turns).toBeGreaterThan(20);
    // The root, inotify, and one walk.
    expect(most - before).toBeLessThanOrEqual(4);
    expect(watched.watch.size.entries).toBe(55_050);
    expect(watched.warnings).toEqual([]);
    writeFileSync(join(large, "49/4999/9.md"), "new");
    await watched.has("changed 49/4999/9.md");
  }, 300_000);
});
