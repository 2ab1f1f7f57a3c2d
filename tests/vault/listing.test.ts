import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { ListedEntry, ListOptions } from "../../src/vault/listing.ts";
import { mkfifo, outcomeOf, type TestVault, testVault } from "../support/vault.ts";

let at: TestVault;
beforeEach(() => {
  at = testVault();
});
afterEach(() => at[Symbol.dispose]());

const touch = (path: string) => writeFileSync(join(at.root, path), "");

async function all(dir: string, options: ListOptions = {}): Promise<ListedEntry[]> {
  const entries: ListedEntry[] = [];
  let cursor: string | undefined;
  do {
    const page = await at.vault.list(dir, { ...options, cursor });
    if (options.limit !== undefined) expect(page.entries.length).toBeLessThanOrEqual(options.limit);
    entries.push(...page.entries);
    ({ cursor } = page);
  } while (cursor !== undefined);
  return entries;
}
const pathsOf = (entries: readonly ListedEntry[]) => entries.map(({ path }) => path);

function plantTree(): string[] {
  for (const path of ["a/x/deep", "a-b", "a.d/y", "b", "z/empty"]) {
    mkdirSync(join(at.root, path), { recursive: true });
  }
  for (const path of [
    "a.md",
    "a/1",
    "a/x/2",
    "a/x/deep/3",
    "a b",
    "a-b/4",
    "a.d/y/5",
    "0",
    "é",
    "🔑",
  ]) {
    touch(path);
  }
  return [
    "0",
    "a",
    "a b",
    "a-b",
    "a-b/4",
    "a.d",
    "a.d/y",
    "a.d/y/5",
    "a.md",
    "a/1",
    "a/x",
    "a/x/2",
    "a/x/deep",
    "a/x/deep/3",
    "b",
    "z",
    "z/empty",
    "é",
    "🔑",
  ];
}

describe("list", () => {
  test("sorts by path, whatever the depth and the size of the pages", async () => {
    const expected = plantTree();
    expect(expected).toEqual(expected.toSorted());
    for (let depth = 1; depth <= 5; depth++) {
      const wanted = expected.filter((path) => path.split("/").length <= depth);
      for (const limit of [1, 2, 3, 7, 100]) {
        expect(pathsOf(await all("", { depth, limit }))).toEqual(wanted);
      }
    }
    expect(pathsOf(await all("a", { depth: 2 }))).toEqual(["a/1", "a/x", "a/x/2", "a/x/deep"]);
    expect(pathsOf(await all("a/x/", { limit: 1 }))).toEqual(["a/x/2", "a/x/deep"]);
    expect(at.descriptors()).toBe(1);
  });

  test("tells what each is; links are not followed, special files not shown", async () => {
    mkdirSync(join(at.root, "dir"));
    writeFileSync(join(at.root, "file"), "four");
    writeFileSync(join(at.outside, "secret"), "0123456789");
    symlinkSync(at.outside, join(at.root, "out"));
    symlinkSync(join(at.outside, "secret"), join(at.root, "secret"));
    symlinkSync(".", join(at.root, "round"));
    mkfifo(join(at.root, "pipe"));
    const entries = await all("", { depth: 10 });
    expect(entries.map(({ path, type }) => `${path} ${type}`)).toEqual([
      "dir dir",
      "file file",
      "out link",
      "round link",
      "secret link",
    ]);
    expect(entries[1]).toMatchObject({ size: 4, modifiedMs: at.vault.stat("file").modifiedMs });
    expect(entries[4]!.size).not.toBe(10);
  });

  test("paths go by the way that was asked for, through a link that stays inside", async () => {
    plantTree();
    symlinkSync("a/x", join(at.root, "link"));
    expect(pathsOf(await all("link", { depth: 3 }))).toEqual([
      "link/2",
      "link/deep",
      "link/deep/3",
    ]);
  });

  test("shows hidden names only when asked, Nest's own folder never", async () => {
    mkdirSync(join(at.root, ".git"));
    mkdirSync(join(at.root, ".nest-tmp"));
    for (const path of [".git/config", ".hidden", "shown", ".nest-tmp/x"]) touch(path);
    expect(pathsOf(await all("", { depth: 3 }))).toEqual(["shown"]);
    expect(pathsOf(await all("", { depth: 3, hidden: true }))).toEqual([
      ".git",
      ".git/config",
      ".hidden",
      "shown",
    ]);
    expect(pathsOf(await all(".git"))).toEqual([".git/config"]);
  });

  test("what comes and goes between two pages moves nothing that stays", async () => {
    for (let i = 10; i < 60; i++) touch(`f${i}`);
    const { vault } = at;
    const first = await vault.list("", { limit: 10 });
    await vault.remove("f15", { permanent: true });
    await vault.remove("f19", { permanent: true });
    touch("f101");
    touch("f191");
    const second = await vault.list("", { limit: 10, cursor: first.cursor });
    expect(pathsOf(second.entries)).toEqual([
      "f191",
      ...Array.from({ length: 9 }, (_, i) => `f${20 + i}`),
    ]);
  });

  test("pages go on past things that make no entry", async () => {
    for (let i = 0; i < 30; i++) mkfifo(join(at.root, `pipe${i}`));
    touch("z");
    expect(pathsOf(await all("", { limit: 1 }))).toEqual(["z"]);
  });

  test("a folder of 100,000 entries comes in pages, in order, each once, with bounded memory", async () => {
    mkdirSync(join(at.root, "big"));
    const expected: string[] = [];
    for (let i = 0; i < 100_000; i++) {
      const name = `${(i * 7919) % 100_000}`;
      touch(`big/${name}`);
      expected.push(`big/${name}`);
    }
    expected.sort();
    await at.vault.list("big", { limit: 100 });
    Bun.gc(true);
    const before = process.memoryUsage().rss;
    const page = await at.vault.list("big", { limit: 100 });
    expect(pathsOf(page.entries)).toEqual(expected.slice(0, 100));
    const found = pathsOf(await all("big", { limit: 10_000 }));
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
    expect(found).toEqual(expected);
    await at.vault.remove("big", { recursive: true, permanent: true });
  }, 120_000);

  test.each([
    { name: "depth 0", options: { depth: 0 } },
    { name: "depth 65", options: { depth: 65 } },
    { name: "half a level", options: { depth: 1.5 } },
    { name: "limit 0", options: { limit: 0 } },
    { name: "limit 10,001", options: { limit: 10_001 } },
    { name: "no number", options: { limit: Number.NaN } },
    { name: "a cursor that is none", options: { cursor: "!" } },
    { name: "an empty cursor", options: { cursor: "" } },
    { name: "a cursor of 9,000 bytes", options: { cursor: "A".repeat(9000) } },
  ])("refuses $name", async ({ options }) => {
    expect(await outcomeOf(() => at.vault.list("", options))).toBe("bad_path");
  });

  test("a cursor only compares: one that holds a way out leads nowhere", async () => {
    plantTree();
    const cursor = Buffer.from("../outside").toString("base64url");
    expect(pathsOf((await at.vault.list("", { cursor })).entries)).toContain("a.md");
  });

  test("a file is no folder, and nothing is nothing", async () => {
    touch("file");
    expect(await outcomeOf(() => at.vault.list("file"))).toBe("not_a_directory");
    expect(await outcomeOf(() => at.vault.list("file/x"))).toBe("not_found");
    expect(await outcomeOf(() => at.vault.list("gone"))).toBe("not_found");
  });
});
