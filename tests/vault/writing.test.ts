import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { bytesOf, outcomeOf, type TestVault, testVault } from "../support/vault.ts";

let at: TestVault;
beforeEach(() => {
  at = testVault();
});
afterEach(() => at[Symbol.dispose]());

const MAX = { maxBytes: 16 * 1024 * 1024 };
const bytes = (text: string) => Buffer.from(text);
const onDisk = (path: string) => readFileSync(join(at.root, path), "utf8");
const sha256 = (content: Uint8Array) =>
  `"${new Bun.CryptoHasher("sha256").update(content).digest("base64url")}"`;
/** Nothing is left of what was not finished. */
const leftOver = () => {
  const folder = join(at.root, ".nest-tmp");
  return existsSync(folder) ? readdirSync(folder) : [];
};
async function etagOf(path: string): Promise<string> {
  using file = await at.vault.open(path);
  return file.etag!;
}

/** A body that comes in parts and can fail at the end. */
function stream(parts: readonly (Uint8Array | Error)[]): ReadableStream<Uint8Array> {
  const rest = [...parts];
  return new ReadableStream({
    pull(controller) {
      const part = rest.shift();
      if (part === undefined) controller.close();
      else if (part instanceof Error) controller.error(part);
      else controller.enqueue(part);
    },
  });
}

describe("write", () => {
  test("stores a file, makes its folders, and says what it has become", async () => {
    const written = await at.vault.write("a/b/c.md", bytes("one"), MAX);
    expect(written).toMatchObject({ isNew: true, size: 3, etag: sha256(bytes("one")) });
    expect(written.modifiedMs).toBe(statSync(join(at.root, "a/b/c.md")).mtimeMs);
    expect(onDisk("a/b/c.md")).toBe("one");
    expect(await at.vault.write("a/b/c.md", bytes("two"), MAX)).toMatchObject({ isNew: false });
    expect(onDisk("a/b/c.md")).toBe("two");
    expect(leftOver()).toEqual([]);
  });

  test.each([
    { name: "255 bytes", path: "n".repeat(255) },
    { name: "255 bytes of UTF-8", path: `${"é".repeat(127)}x` },
    { name: "emoji", path: "🔑🗝️.md" },
    { name: "a newline", path: "a\nb" },
    { name: "a leading dash", path: "-rf" },
    { name: "only spaces", path: "  " },
    { name: "control characters", path: "\x01\x7f" },
  ])("takes names of $name, everywhere", async ({ path }) => {
    await at.vault.write(path, bytes("x"), MAX);
    expect(readdirSync(at.root).filter((name) => !name.startsWith("."))).toEqual([path]);
    expect((await at.vault.list("")).entries.map((entry) => entry.path)).toEqual([path]);
    await at.vault.move(path, `dir/${path}`);
    const trashed = await at.vault.remove(`dir/${path}`);
    await at.vault.move(trashed!, path);
    expect(onDisk(path)).toBe("x");
  });

  test("tells cases and Unicode normal forms apart, as the disk does", async () => {
    const names = ["a", "A", "\u00e9", "e\u0301"];
    for (const name of names) await at.vault.write(name, bytes(name), MAX);
    for (const name of names) expect(onDisk(name)).toBe(name);
    expect((await at.vault.list("")).entries).toHaveLength(4);
  });

  test("keeps the mode of what it replaces, without set-uid", async () => {
    for (const mode of [0o600, 0o755, 0o640, 0o4711]) {
      writeFileSync(join(at.root, "a"), "");
      chmodSync(join(at.root, "a"), mode);
      await at.vault.write("a", bytes("x"), MAX);
      expect(statSync(join(at.root, "a")).mode & 0o7777).toBe(mode & 0o777);
    }
    await at.vault.write("new", bytes("x"), MAX);
    expect(statSync(join(at.root, "new")).mode & 0o777).toBe(0o666 & ~process.umask());
  });

  test("writes through a link that stays inside, and leaves the link", async () => {
    mkdirSync(join(at.root, "dir"));
    symlinkSync("dir/file", join(at.root, "relative"));
    symlinkSync(join(at.root, "dir/file"), join(at.root, "absolute"));
    symlinkSync(join(at.root, "dir"), join(at.root, "folder"));
    // The first one makes the file: its link leads to nothing yet, inside.
    for (const path of ["relative", "absolute", "folder/file"]) {
      await at.vault.write(path, bytes(path), MAX);
      expect(onDisk("dir/file")).toBe(path);
    }
    expect(readlinkSync(join(at.root, "relative"))).toBe("dir/file");
    expect(lstatSync(join(at.root, "dir/file")).isFile()).toBe(true);
  });

  test("leaves the other name of a file as it was", async () => {
    writeFileSync(join(at.root, "a"), "old");
    linkSync(join(at.root, "a"), join(at.root, "b"));
    await at.vault.write("a", bytes("new"), MAX);
    expect([onDisk("a"), onDisk("b")]).toEqual(["new", "old"]);
  });

  test.each([
    { name: "a folder", path: "dir", code: "is_a_directory" },
    { name: "a path of a folder", path: "x/", code: "is_a_directory" },
    { name: "below a file", path: "file/x", code: "not_found" },
    { name: "65 folders that are not there", path: "d/".repeat(65) + "x", code: "bad_path" },
  ])("refuses $name", async ({ path, code }) => {
    mkdirSync(join(at.root, "dir"));
    writeFileSync(join(at.root, "file"), "old");
    expect(await outcomeOf(() => at.vault.write(path, bytes("x"), MAX))).toBe(code);
    expect(onDisk("file")).toBe("old");
    expect(leftOver()).toEqual([]);
    const left = readdirSync(at.root).filter((it) => it !== ".nest-tmp");
    expect(left.toSorted()).toEqual(["dir", "file"]);
  });

  test("takes a stream, and hashes it on the way", async () => {
    const parts = Array.from({ length: 50 }, (_, i) => Buffer.alloc(70_000, i));
    const { etag, size } = await at.vault.write("big", stream(parts), MAX);
    expect(size).toBe(3_500_000);
    expect(etag).toBe(sha256(Buffer.concat(parts)));
    expect(sha256(readFileSync(join(at.root, "big")))).toBe(etag);
    expect(await etagOf("big")).toBe(etag);
  });

  test("a stream that fails, is too long or is aborted leaves the old content and nothing else", async () => {
    await at.vault.write("a", bytes("old"), MAX);
    const part = Buffer.alloc(1000);
    const broken = at.vault.write("a", stream([part, new Error("the client went")]), MAX);
    expect(broken).rejects.toThrow("the client went");
    await broken.catch(() => {});
    expect(
      await outcomeOf(() => at.vault.write("a", stream([part, part]), { maxBytes: 1500 })),
    ).toBe("too_large");
    expect(await outcomeOf(() => at.vault.write("a", part, { maxBytes: 999 }))).toBe("too_large");
    for (const isBefore of [true, false]) {
      const abort = new AbortController();
      let cancelled: unknown;
      // One that never ends by itself.
      const body = new ReadableStream<Uint8Array>({
        start: (controller) => controller.enqueue(part),
        cancel: (reason) => void (cancelled = reason),
      });
      if (isBefore) abort.abort(new Error("too late"));
      const write = at.vault.write("a", body, { ...MAX, signal: abort.signal });
      if (!isBefore) setImmediate(() => abort.abort(new Error("too late")));
      expect(await write.catch((error: Error) => error.message)).toBe("too late");
      if (!isBefore) expect((cancelled as Error).message).toBe("too late");
    }
    expect(onDisk("a")).toBe("old");
    expect(leftOver()).toEqual([]);
    expect(at.descriptors()).toBe(1);
  });

  test("a reader sees the old or the new content, never a part", async () => {
    const size = 50_000;
    await at.vault.write("a", Buffer.alloc(size, 0), MAX);
    const state = { isDone: false };
    const writer = (async () => {
      for (let i = 1; i <= 60; i++) await at.vault.write("a", Buffer.alloc(size, i), MAX);
      state.isDone = true;
    })();
    let reads = 0;
    while (!state.isDone) {
      const content = readFileSync(join(at.root, "a"));
      expect(content).toHaveLength(size);
      expect(content.every((byte) => byte === content[0])).toBe(true);
      reads++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await writer;
    expect(reads).toBeGreaterThan(0);
  });
});

describe("write with a condition", () => {
  test("If-Match: the ETag it has, or any", async () => {
    const { etag } = await at.vault.write("a", bytes("one"), MAX);
    expect(
      await outcomeOf(() => at.vault.write("a", bytes("x"), { ...MAX, ifMatch: ['"other"'] })),
    ).toBe("precondition_failed");
    expect(await outcomeOf(() => at.vault.write("a", bytes("x"), { ...MAX, ifMatch: [] }))).toBe(
      "precondition_failed",
    );
    expect(
      await outcomeOf(() => at.vault.write("gone", bytes("x"), { ...MAX, ifMatch: "*" })),
    ).toBe("precondition_failed");
    expect(
      await outcomeOf(() => at.vault.write("no/gone", bytes("x"), { ...MAX, ifMatch: [etag] })),
    ).toBe("precondition_failed");
    expect(existsSync(join(at.root, "no"))).toBe(false);
    expect(onDisk("a")).toBe("one");
    await at.vault.write("a", bytes("two"), { ...MAX, ifMatch: ['"other"', etag] });
    await at.vault.write("a", bytes("three"), { ...MAX, ifMatch: "*" });
    expect(onDisk("a")).toBe("three");
  });

  test("If-None-Match: * makes a file where none is, whoever comes at the same time", async () => {
    const writers = Array.from({ length: 20 }, (_, i) =>
      outcomeOf(() => at.vault.write("new/a", bytes(`${i}`), { ...MAX, ifNoneMatchAny: true })),
    );
    const outcomes = await Promise.all(writers);
    expect(outcomes.filter((it) => it === "ok")).toHaveLength(1);
    expect(outcomes.filter((it) => it === "precondition_failed")).toHaveLength(19);
    expect(onDisk("new/a")).toBe(`${outcomes.indexOf("ok")}`);
    expect(leftOver()).toEqual([]);
  });

  test.each([
    { name: "small", size: 100 },
    { name: "large", size: 300_000 },
  ])(
    "of two writers with one ETag of a $name file exactly one wins, 30 times",
    async ({ size }) => {
      await at.vault.write("a", Buffer.alloc(size, 255), MAX);
      for (let round = 0; round < 30; round++) {
        const ifMatch = [await etagOf("a")];
        const contents = [0, 1, 2].map((i) => Buffer.alloc(size, round * 3 + i));
        const outcomes = await Promise.all(
          contents.map((content, i) =>
            outcomeOf(() =>
              // Some come in parts, and so at other times.
              at.vault.write(
                i === 1 ? "./a".slice(2) : "a",
                i === 2 ? stream([content]) : content,
                { ...MAX, ifMatch },
              ),
            ),
          ),
        );
        expect(outcomes.toSorted()).toEqual(["ok", "precondition_failed", "precondition_failed"]);
        expect(readFileSync(join(at.root, "a")).equals(contents[outcomes.indexOf("ok")]!)).toBe(
          true,
        );
      }
      expect(leftOver()).toEqual([]);
    },
  );

  test("a change by somebody else while the body comes is not overwritten", async () => {
    for (const size of [10, 200_000]) {
      await at.vault.write("a", Buffer.alloc(size, 1), MAX);
      const ifMatch = [await etagOf("a")];
      const body = new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            // The agent's editor, in place: same name, same inode, same size.
            writeFileSync(join(at.root, "a"), Buffer.alloc(size, 2));
            controller.enqueue(bytes("mine"));
            controller.close();
          },
        },
        { highWaterMark: 0 },
      );
      expect(await outcomeOf(() => at.vault.write("a", body, { ...MAX, ifMatch }))).toBe(
        "precondition_failed",
      );
      expect(readFileSync(join(at.root, "a")).every((byte) => byte === 2)).toBe(true);
    }
  });
});

describe("ETags", () => {
  test("are of the content: the same for the same, whatever the name, the time and the way", async () => {
    for (const size of [0, 1, 65_536, 65_537, 1_000_000]) {
      const content = Buffer.alloc(size, 7);
      const { etag } = await at.vault.write("a", content, MAX);
      writeFileSync(join(at.root, "b"), content);
      utimesSync(join(at.root, "b"), 1, 1);
      expect(await etagOf("b")).toBe(etag);
      expect(etag).toBe(sha256(content));
    }
  });

  test("a large file changed in place within a moment, with its size and time put back, has another", async () => {
    const path = join(at.root, "a");
    // Remembered only when the last change is long enough ago: so also when the clock has moved on meanwhile.
    let aheadMs = 0;
    using other = testVault({ wallMs: () => Date.now() + aheadMs });
    for (const [vault, file] of [
      [at.vault, path],
      [other.vault, join(other.root, "a")],
    ] as const) {
      const seen = new Set<string>();
      for (let i = 0; i < 20; i++) {
        writeFileSync(file, Buffer.alloc(100_000, i));
        utimesSync(file, 1, 1);
        using opened = await vault.open("a");
        seen.add(opened.etag!);
      }
      expect(seen.size).toBe(20);
      aheadMs = 60_000;
    }
  });

  test("of a large file is remembered once it has been still, and forgotten when it changes", async () => {
    let aheadMs = 0;
    using other = testVault({ wallMs: () => Date.now() + aheadMs });
    const file = join(other.root, "a");
    writeFileSync(file, Buffer.alloc(100_000, 1));
    // Not at once: it has to be hashed.
    const first = other.vault.open("a");
    expect(first).toBeInstanceOf(Promise);
    (await first).close();
    const second = other.vault.open("a");
    expect(second).toBeInstanceOf(Promise);
    (await second).close();
    aheadMs = 60_000;
    (await other.vault.open("a")).close();
    const remembered = other.vault.open("a");
    expect(remembered).not.toBeInstanceOf(Promise);
    (await remembered).close();
    writeFileSync(file, Buffer.alloc(100_000, 2));
    const changed = other.vault.open("a");
    expect(changed).toBeInstanceOf(Promise);
    (await changed).close();
  });
});

describe("open", () => {
  test("gives any part of a file, small or large", async () => {
    for (const size of [0, 10, 700_000]) {
      const content = Buffer.from(Uint8Array.from({ length: size }, (_, i) => i * 31 + (i >> 8)));
      await at.vault.write("a", content, MAX);
      for (const [start, end] of [
        [0, size],
        [0, Math.min(3, size)],
        [size >> 1, size],
        [size - (size >> 2), size - (size >> 3)],
        [size, size],
      ] as const) {
        const file = await at.vault.open("a");
        expect(file.size).toBe(size);
        const part = await bytesOf(file, start, end);
        expect(Buffer.compare(part, content.subarray(start, end))).toBe(0);
      }
    }
    expect(at.descriptors()).toBe(1);
  });

  test("a sparse file of 10 GB: opened at once without an ETag, read at its end", async () => {
    writeFileSync(join(at.root, "sparse"), "");
    truncateSync(join(at.root, "sparse"), 10e9);
    const file = await at.vault.open("sparse");
    expect([file.size, file.etag]).toEqual([10e9, undefined]);
    expect(await bytesOf(file, 10e9 - 1000)).toEqual(new Uint8Array(1000));
    expect(
      await outcomeOf(() => at.vault.write("sparse", bytes("x"), { ...MAX, ifMatch: ['"x"'] })),
    ).toBe("precondition_failed");
  });

  test("the vault's folder renamed: it goes with it; deleted: vault_gone for all", async () => {
    writeFileSync(join(at.root, "a"), "x");
    const moved = join(at.dir, "moved");
    symlinkSync(at.outside, join(at.dir, "trap"));
    renameSync(at.root, moved);
    renameSync(join(at.dir, "trap"), at.root);
    expect(at.vault.stat("a").size).toBe(1);
    await at.vault.write("b", bytes("x"), MAX);
    expect(readdirSync(moved).toSorted()).toEqual([".nest-tmp", "a", "b"]);
    rmSync(moved, { recursive: true });
    for (const act of [
      () => at.vault.stat("a"),
      () => at.vault.stat(""),
      () => at.vault.open("a"),
      () => at.vault.list(""),
      () => at.vault.write("a", bytes("x"), MAX),
      () => at.vault.write("d/a", bytes("x"), MAX),
      () => at.vault.makeDirectory("d"),
      () => at.vault.move("a", "b"),
      () => at.vault.remove("a"),
    ]) {
      expect(await outcomeOf(act)).toBe("vault_gone");
    }
    expect(readdirSync(at.outside)).toEqual([]);
  });
});
