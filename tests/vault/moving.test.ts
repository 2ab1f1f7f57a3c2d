import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { outcomeOf, type TestVault, testVault } from "../support/vault.ts";

const MAKER = join(import.meta.dir, "../support/target-maker.ts");

let at: TestVault;
beforeEach(() => {
  at = testVault();
  mkdirSync(join(at.root, "dir/sub"), { recursive: true });
  writeFileSync(join(at.root, "a"), "a");
  writeFileSync(join(at.root, "b"), "b");
  writeFileSync(join(at.root, "dir/sub/leaf"), "leaf");
});
afterEach(() => at[Symbol.dispose]());

const onDisk = (path: string) => readFileSync(join(at.root, path), "utf8");
const names = (path = "") =>
  readdirSync(join(at.root, path))
    .filter((name) => !name.startsWith("."))
    .toSorted();
const leftOver = () => {
  const folder = join(at.root, ".nest-tmp");
  return existsSync(folder) ? readdirSync(folder) : [];
};

describe("move", () => {
  test("moves a file, a folder and a link, and makes the folders on the way", async () => {
    symlinkSync("a", join(at.root, "link"));
    await at.vault.move("a", "new/er/a");
    await at.vault.move("dir/", "new/dir/");
    await at.vault.move("link", "new/link");
    expect(names()).toEqual(["b", "new"]);
    expect(onDisk("new/er/a")).toBe("a");
    expect(onDisk("new/dir/sub/leaf")).toBe("leaf");
    expect(readlinkSync(join(at.root, "new/link"))).toBe("a");
    expect(lstatSync(join(at.root, "new/er/a")).nlink).toBe(1);
    expect(leftOver()).toEqual([]);
  });

  test.each([
    { name: "a file over a file", from: "a", to: "b", code: "exists", over: "ok" },
    { name: "a file over itself", from: "a", to: "a", code: "exists", over: "ok" },
    { name: "a file over a folder", from: "a", to: "dir", code: "exists", over: "is_a_directory" },
    {
      name: "a file over an empty folder",
      from: "a",
      to: "empty",
      code: "exists",
      over: "is_a_directory",
    },
    { name: "a folder over a file", from: "dir", to: "a", code: "exists", over: "not_a_directory" },
    { name: "a folder over an empty one", from: "dir", to: "empty", code: "exists", over: "ok" },
    {
      name: "a folder over a full one",
      from: "empty",
      to: "dir",
      code: "exists",
      over: "not_empty",
    },
    { name: "a folder over itself", from: "dir", to: "dir", code: "exists", over: "ok" },
    {
      name: "a folder into itself",
      from: "dir",
      to: "dir/x",
      code: "into_itself",
      over: "into_itself",
    },
    {
      name: "a folder deep into itself",
      from: "dir",
      to: "dir/sub/x",
      code: "into_itself",
      over: "into_itself",
    },
    {
      name: "a folder over the one it is in",
      from: "dir/sub",
      to: "dir",
      code: "exists",
      over: "not_empty",
    },
    { name: "a file over a link", from: "a", to: "link", code: "exists", over: "ok" },
    {
      name: "a file over a link to nothing",
      from: "a",
      to: "dangling",
      code: "exists",
      over: "ok",
    },
    {
      name: "a file to a path of a folder",
      from: "a",
      to: "x/",
      code: "not_a_directory",
      over: "not_a_directory",
    },
    { name: "a file named as a folder", from: "a/", to: "x", code: "not_found", over: "not_found" },
    { name: "what is not there", from: "gone", to: "x", code: "not_found", over: "not_found" },
    { name: "to below a file", from: "a", to: "b/x", code: "not_found", over: "not_found" },
  ])("$name: $code, and $over when asked to overwrite", async ({ from, to, code, over }) => {
    mkdirSync(join(at.root, "empty"));
    symlinkSync("b", join(at.root, "link"));
    symlinkSync("nowhere", join(at.root, "dangling"));
    const before = names();
    expect(await outcomeOf(() => at.vault.move(from, to))).toBe(code);
    expect(names()).toEqual(before);
    expect([onDisk("a"), onDisk("b"), onDisk("dir/sub/leaf")]).toEqual(["a", "b", "leaf"]);
    expect(await outcomeOf(() => at.vault.move(from, to, { overwrite: true }))).toBe(over);
    // A link is replaced, not written through.
    if (to !== "b") expect(onDisk("b")).toBe("b");
    expect(leftOver()).toEqual([]);
    expect(at.descriptors()).toBe(1);
  });

  test("of many who move to one name exactly one does, files and folders alike, and nothing is lost", async () => {
    for (const kind of ["file", "folder"]) {
      const sources = Array.from({ length: 20 }, (_, i) => `${kind}-${i}`);
      for (const name of sources) {
        if (kind === "file") writeFileSync(join(at.root, name), name);
        else mkdirSync(join(at.root, name));
      }
      const outcomes = await Promise.all(
        sources.map((from) => outcomeOf(() => at.vault.move(from, `to-${kind}`))),
      );
      expect(outcomes.filter((it) => it === "ok")).toHaveLength(1);
      expect(outcomes.filter((it) => it === "exists")).toHaveLength(19);
      expect(names().filter((it) => it.includes(kind))).toHaveLength(20);
    }
  });

  test.each([{ kind: "file" }, { kind: "folder" }])(
    "never overwrites a $kind that somebody else makes between the look and the move",
    async ({ kind }) => {
      const target = join(at.root, "target");
      const maker = Bun.spawn([process.execPath, MAKER, kind, target], {
        stdin: "pipe",
        stdout: "pipe",
      });
      const outcomes = { ok: 0, exists: 0 };
      const reader = maker.stdout.getReader();
      try {
        await reader.read();
        const endMs = performance.now() + 1500;
        while (performance.now() < endMs) {
          if (kind === "file") writeFileSync(join(at.root, "mine"), "mine");
          else mkdirSync(join(at.root, "mine"), { recursive: true });
          const outcome = await outcomeOf(() => at.vault.move("mine", "target"));
          expect(["ok", "exists"]).toContain(outcome);
          outcomes[outcome as "ok" | "exists"]++;
          // Ours, then: theirs could not be made.
          if (outcome === "ok") rmSync(target, { recursive: true });
        }
      } finally {
        await maker.stdin.end();
        await maker.exited;
      }
      const said = JSON.parse(new TextDecoder().decode((await reader.read()).value));
      expect(said.overwritten).toBe(0);
      expect(Math.min(said.made, outcomes.ok, outcomes.exists)).toBeGreaterThan(0);
      expect(leftOver()).toEqual([]);
    },
    60_000,
  );

  test("a file put under the old name in the moment of the move stays", async () => {
    // The moment: the file has both names. Made by hand, since it is a few microseconds long.
    linkSync(join(at.root, "a"), join(at.root, "other"));
    await at.vault.move("a", "moved");
    expect([onDisk("moved"), onDisk("other")]).toEqual(["a", "a"]);
    expect(existsSync(join(at.root, "a"))).toBe(false);
  });
});

describe("remove", () => {
  test("puts a thing into the trash under its name; moving it back restores it", async () => {
    const long = "n".repeat(255);
    mkdirSync(join(at.root, "deep/er"), { recursive: true });
    writeFileSync(join(at.root, "deep/er", long), "x");
    const trashed = await at.vault.remove(`deep/er/${long}`);
    expect(trashed).toMatch(
      /^\.trash\/\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-[0-9a-f]{12}\/deep\/er\/n{255}$/,
    );
    expect(names("deep/er")).toEqual([]);
    await at.vault.move(trashed!, `deep/er/${long}`);
    expect(onDisk(`deep/er/${long}`)).toBe("x");
    const folder = await at.vault.remove("dir", { recursive: true });
    await at.vault.move(folder!, "dir");
    expect(onDisk("dir/sub/leaf")).toBe("leaf");
  });

  test("things of one name lie side by side in the trash", async () => {
    const paths = new Set<string>();
    for (let i = 0; i < 20; i++) {
      writeFileSync(join(at.root, "a"), `${i}`);
      paths.add((await at.vault.remove("a"))!);
    }
    expect([...paths].map(onDisk)).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
  });

  test("a path too long to be kept in the trash leaves its folders behind", async () => {
    const folder = Array(15).fill("f".repeat(255)).join("/");
    await at.vault.makeDirectory(folder);
    await at.vault.write(`${folder}/file`, Buffer.from("x"), { maxBytes: 9 });
    const trashed = await at.vault.remove(`${folder}/${"file"}`);
    expect(onDisk(trashed!)).toBe("x");
    const deep = await at.vault.remove("f".repeat(255), { recursive: true });
    expect(existsSync(join(at.root, deep!))).toBe(true);
  });

  test("a folder, an empty one too, goes only if asked for all in it", async () => {
    mkdirSync(join(at.root, "empty"));
    for (const permanent of [false, true]) {
      expect(await outcomeOf(() => at.vault.remove("dir", { permanent }))).toBe("is_a_directory");
      expect(await outcomeOf(() => at.vault.remove("empty", { permanent }))).toBe("is_a_directory");
    }
    expect(onDisk("dir/sub/leaf")).toBe("leaf");
    await at.vault.remove("dir", { permanent: true, recursive: true });
    await at.vault.remove("a", { permanent: true });
    expect(names()).toEqual(["b", "empty"]);
    expect(existsSync(join(at.root, ".trash"))).toBe(false);
    expect(leftOver()).toEqual([]);
  });

  test("what is in the trash goes for good, or not at all", async () => {
    const trashed = await at.vault.remove("a");
    expect(await outcomeOf(() => at.vault.remove(trashed!))).toBe("in_trash");
    expect(await outcomeOf(() => at.vault.remove(".trash", { recursive: true }))).toBe("in_trash");
    await at.vault.remove(trashed!, { permanent: true });
    await at.vault.remove(".trash", { recursive: true, permanent: true });
    expect(existsSync(join(at.root, ".trash"))).toBe(false);
  });

  test("removes a link, never what it leads to; and links in a folder likewise", async () => {
    writeFileSync(join(at.outside, "keep"), "x");
    symlinkSync("dir", join(at.root, "link"));
    symlinkSync("gone", join(at.root, "dangling"));
    symlinkSync(at.outside, join(at.root, "dir/out"));
    symlinkSync("..", join(at.root, "dir/up"));
    await at.vault.remove("link", { permanent: true, recursive: true });
    await at.vault.remove("dangling");
    await at.vault.remove("dir", { permanent: true, recursive: true });
    expect(names()).toEqual(["a", "b"]);
    expect(readdirSync(at.outside)).toEqual(["keep"]);
  });

  test.each([
    { name: "the trash", folder: ".trash", act: () => at.vault.remove("a") },
    {
      name: "the folder for unfinished files",
      folder: ".nest-tmp",
      act: () => at.vault.write("a", Buffer.from("x"), { maxBytes: 9 }),
    },
  ])("$name that is a link out is not used", async ({ folder, act }) => {
    symlinkSync(at.outside, join(at.root, folder));
    expect(await outcomeOf(act)).toBe("special_file");
    expect(readdirSync(at.outside)).toEqual([]);
    expect(onDisk("a")).toBe("a");
  });
});

describe("sweep", () => {
  test("removes what was left unfinished, follows no link, and leaves what is begun later", async () => {
    const folder = join(at.root, ".nest-tmp");
    mkdirSync(join(folder, "tree/sub"), { recursive: true });
    writeFileSync(join(folder, "file"), "x");
    writeFileSync(join(at.outside, "keep"), "x");
    symlinkSync(at.outside, join(folder, "tree/out"));
    symlinkSync(join(at.outside, "keep"), join(folder, "link"));
    const swept = at.vault.sweep();
    const written = at.vault.write("a", Buffer.from("new"), { maxBytes: 9 });
    expect(await swept).toBe(3);
    await written;
    expect(onDisk("a")).toBe("new");
    expect(readdirSync(at.outside)).toEqual(["keep"]);
    expect(await at.vault.sweep()).toBe(0);
    expect(existsSync(folder)).toBe(false);
    expect(at.descriptors()).toBe(1);
  });

  test("leaves a link of that name alone", async () => {
    writeFileSync(join(at.outside, "keep"), "x");
    symlinkSync(at.outside, join(at.root, ".nest-tmp"));
    expect(await at.vault.sweep()).toBe(0);
    expect(readdirSync(at.outside)).toEqual(["keep"]);
  });
});
