import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { Vault } from "../../src/vault/vault.ts";
import { tempDir } from "../support/temp-dir.ts";
import { canMount, mountTmpfs } from "../support/tmpfs.ts";
import { outcomeOf, testVault } from "../support/vault.ts";

if (!canMount) console.log("tests/vault/disk-full.test.ts: needs root and mount(8), skipped here");

const MAX = { maxBytes: 1e9 };

test.skipIf(!canMount)(
  "a full disk: disk_full, the old content intact, nothing left behind",
  async () => {
    using dir = tempDir();
    const path = join(dir.path, "vault");
    using _mounted = mountTmpfs(path, "1m");
    const vault = new Vault({ path, wallMs: () => Date.now() });
    try {
      await vault.write("a", Buffer.from("old"), MAX);
      const big = Buffer.alloc(2_000_000, 1);
      expect(await outcomeOf(() => vault.write("a", big, MAX))).toBe("disk_full");
      const stream = new Blob([big]).stream();
      expect(await outcomeOf(() => vault.write("a", stream, MAX))).toBe("disk_full");
      expect(await outcomeOf(() => vault.write("new/b", big, MAX))).toBe("disk_full");
      expect(readFileSync(join(path, "a"), "utf8")).toBe("old");
      expect(readdirSync(join(path, ".nest-tmp"))).toEqual([]);
      expect(existsSync(join(path, "new"))).toBe(false);
      // Not a byte left: what needs none still works.
      const filler = join(path, "filler");
      expect(() => writeFileSync(filler, big)).toThrow("ENOSPC");
      expect(await outcomeOf(() => vault.write("a", Buffer.from("x"), MAX))).toBe("disk_full");
      await vault.move("a", "moved");
      expect(readFileSync(join(path, "moved"), "utf8")).toBe("old");
      await vault.remove("filler", { permanent: true });
      await vault.write("moved", Buffer.from("new"), MAX);
      expect(readFileSync(join(path, "moved"), "utf8")).toBe("new");
    } finally {
      vault.close();
    }
  },
);

test.skipIf(!canMount)(
  "a file system mounted inside: files are written there too, moves across are refused",
  async () => {
    using at = testVault();
    const inner = join(at.root, "inner");
    using _mounted = mountTmpfs(inner, "1m");
    writeFileSync(join(at.root, "outer"), "outer");
    const { vault } = at;
    expect(await vault.write("inner/dir/a", Buffer.from("one"), MAX)).toMatchObject({
      isNew: true,
    });
    const { etag } = await vault.write("inner/dir/a", new Blob(["two"]).stream(), MAX);
    await vault.write("inner/dir/a", Buffer.from("three"), { ...MAX, ifMatch: [etag] });
    expect(
      await outcomeOf(() =>
        vault.write("inner/dir/a", Buffer.from("x"), { ...MAX, ifNoneMatchAny: true }),
      ),
    ).toBe("precondition_failed");
    await vault.write("inner/b", Buffer.from("b"), { ...MAX, ifNoneMatchAny: true });
    expect(readFileSync(join(inner, "dir/a"), "utf8")).toBe("three");
    expect(await outcomeOf(() => vault.write("inner/c", Buffer.alloc(2_000_000), MAX))).toBe(
      "disk_full",
    );
    expect(readdirSync(inner).toSorted()).toEqual(["b", "dir"]);
    await vault.move("inner/dir/a", "inner/moved");
    for (const [from, to] of [
      ["outer", "inner/x"],
      ["inner/moved", "x"],
      ["inner/dir", "x"],
    ] as const) {
      expect(await outcomeOf(() => vault.move(from, to))).toBe("cross_device");
      expect(await outcomeOf(() => vault.move(from, to, { overwrite: true }))).toBe("cross_device");
    }
    expect(await outcomeOf(() => vault.remove("inner/moved"))).toBe("cross_device");
    expect(await outcomeOf(() => vault.remove("inner/dir", { recursive: true }))).toBe(
      "cross_device",
    );
    await vault.remove("inner/moved", { permanent: true });
    await vault.remove("inner/dir", { permanent: true, recursive: true });
    expect(readdirSync(inner)).toEqual(["b"]);
    expect(readdirSync(at.root).toSorted()).toEqual([".nest-tmp", ".trash", "inner", "outer"]);
    expect(readdirSync(join(at.root, ".nest-tmp"))).toEqual([]);
    expect(readdirSync(join(at.root, ".trash"))).toEqual([]);
    // What a crash leaves: a file beside its target, and a note of it; and notes that somebody forged.
    const near = `.nest-tmp-${"a".repeat(32)}`;
    const notes = [["inner", near], ["outer"], ["..", "outside"], ["inner", "b"], [], "x", [1]];
    writeFileSync(join(inner, near), "x");
    for (const [i, note] of notes.entries()) {
      writeFileSync(join(at.root, `.nest-tmp/${i}.note`), JSON.stringify(note));
    }
    const { entries } = await vault.list("", { depth: 3, hidden: true });
    expect(entries.map((entry) => entry.path)).toEqual([".trash", "inner", "inner/b", "outer"]);
    expect(await outcomeOf(() => vault.stat(`inner/${near}`))).toBe("reserved");
    expect(await vault.sweep()).toBe(notes.length);
    expect(readdirSync(inner)).toEqual(["b"]);
    expect(readdirSync(at.root).toSorted()).toEqual([".trash", "inner", "outer"]);
    rmSync(join(inner, "b"));
  },
);
