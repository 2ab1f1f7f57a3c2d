import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import type { Caller, Violation } from "../../src/vault/access.ts";
import type { Vault } from "../../src/vault/vault.ts";
import { mkfifo, outcomeOf, SECRET, type TestVault, testVault } from "../support/vault.ts";

/**
 * One table of ways out, replayed through every operation of the vault, pinned and not. Where an attack works by
 * something in the vault rather than by its path alone, the row shows first that it works where nobody looks.
 */

const WRITE = { maxBytes: 1000 };
const CONTENT = Buffer.from("x");

const OPERATIONS: Readonly<
  Record<string, (vault: Vault, path: string, caller: Caller) => unknown>
> = {
  stat: (vault, path, caller) => vault.stat(path, { caller }),
  open: async (vault, path, caller) => (await vault.open(path, { caller })).close(),
  readNow: (vault, path, caller) => vault.readNow(path, { caller, maxBytes: 1000 }),
  list: (vault, path, caller) => vault.list(path, { caller, depth: 3, hidden: true }),
  write: (vault, path, caller) => vault.write(path, CONTENT, { ...WRITE, caller }),
  makeDirectory: (vault, path, caller) => vault.makeDirectory(path, { caller }),
  "move from": (vault, path, caller) => vault.move(path, "elsewhere", { caller }),
  "move to": (vault, path, caller) => vault.move("a.md", path, { caller }),
  "move over": (vault, path, caller) => vault.move("a.md", path, { caller, overwrite: true }),
  remove: (vault, path, caller) => vault.remove(path, { caller }),
  "remove all": (vault, path, caller) =>
    vault.remove(path, { caller, recursive: true, permanent: true }),
};

interface Row {
  readonly name: string;
  readonly path: string;
  readonly make?: (at: TestVault) => void;
  /** What it comes to without a guard: the file that the system finds under the path. Default: the secret. */
  readonly reaches?: "nothing" | "secret";
  /** Expected of every operation. */
  readonly code: string;
}

const link = (target: string, name: string) => (at: TestVault) =>
  symlinkSync(target.replace("$out", at.outside).replace("$root", at.root), join(at.root, name));

const OUT = "path_escapes";
const ROWS: readonly Row[] = [
  { name: "..", path: "..", code: OUT, reaches: "nothing" },
  { name: "a way up", path: "../outside/secret.md", code: OUT },
  { name: "a way up from a folder", path: "dir/../../outside/secret.md", code: OUT },
  { name: "a way up and back", path: "../vault/a.md", code: OUT, reaches: "nothing" },
  { name: "an absolute path", path: "/etc/passwd", code: OUT, reaches: "nothing" },
  { name: "a backslash", path: "..\\outside\\secret.md", code: OUT, reaches: "nothing" },
  { name: "a NUL", path: "a.md\0", code: "bad_path", reaches: "nothing" },
  { name: "an empty name", path: "dir//a.md", code: "bad_path", reaches: "nothing" },
  { name: ".", path: "./a.md", code: "bad_path", reaches: "nothing" },
  { name: "half a surrogate pair", path: "\ud800", code: "bad_path", reaches: "nothing" },
  { name: "a name of 256 bytes", path: "n".repeat(256), code: "bad_path", reaches: "nothing" },
  { name: "an absolute link to a file", path: "l", make: link("$out/secret.md", "l"), code: OUT },
  {
    name: "a relative link to a file",
    path: "l",
    make: link("../outside/secret.md", "l"),
    code: OUT,
  },
  {
    name: "a link from a folder",
    path: "dir/l",
    make: link("../../outside/secret.md", "dir/l"),
    code: OUT,
  },
  {
    name: "a link to a folder, and a file in it",
    path: "l/secret.md",
    make: link("$out", "l"),
    code: OUT,
  },
  {
    name: "a link to a folder in the middle",
    path: "dir/l/sub/deep.md",
    make: link("../../outside", "dir/l"),
    code: OUT,
  },
  {
    name: "a link to a folder itself",
    path: "l",
    make: link("$out", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a link to a folder, and a name that is not there",
    path: "l/new.md",
    make: link("$out", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a link to a folder, and folders that are not there",
    path: "l/new/er/est.md",
    make: link("$out", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a link to nothing outside",
    path: "l",
    make: link("$out/gone", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a relative link to nothing outside",
    path: "l",
    make: link("../gone", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a path through a link to nothing outside",
    path: "l/x",
    make: link("../gone", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a link to the folder above",
    path: "l/outside/secret.md",
    make: link("..", "l"),
    code: OUT,
  },
  {
    name: "a link to the top of all",
    path: "l/etc/passwd",
    make: link("/", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a link to a link",
    path: "one/secret.md",
    make: (at) => (link("two", "one")(at), link("../outside", "two")(at)),
    code: OUT,
  },
  {
    name: "a link that hides its way up behind another",
    path: "up/secret.md",
    make: (at) => (link("dir", "d")(at), link("d/../../outside", "up")(at)),
    code: OUT,
  },
  {
    name: "a link whose way up is longer than it looks",
    path: "dir/deep/l/secret.md",
    make: (at) => (
      mkdirSync(join(at.root, "dir/deep")),
      link("../../../outside", "dir/deep/l")(at)
    ),
    code: OUT,
  },
  {
    name: "a sibling whose name begins like the vault's",
    path: "l",
    make: (at) => (writeFileSync(`${at.root}-secret`, SECRET), link("$root-secret", "l")(at)),
    code: OUT,
  },
  {
    name: "a link through /proc",
    path: "l/etc/passwd",
    make: link("/proc/self/root", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a link to this process's folder",
    path: "l",
    make: link("/proc/self/cwd", "l"),
    code: OUT,
    reaches: "nothing",
  },
  { name: "a loop of one", path: "l", make: link("l", "l"), code: OUT, reaches: "nothing" },
  {
    name: "a path through a loop",
    path: "l/x",
    make: link("l", "l"),
    code: OUT,
    reaches: "nothing",
  },
  {
    name: "a loop of two",
    path: "l",
    make: (at) => (link("m", "l")(at), link("l", "m")(at)),
    code: OUT,
    reaches: "nothing",
  },
  { name: "a loop that grows", path: "l", make: link("l/l", "l"), code: OUT, reaches: "nothing" },
  {
    name: "a FIFO",
    path: "pipe",
    make: (at) => mkfifo(join(at.root, "pipe")),
    code: "special_file",
    reaches: "nothing",
  },
  {
    name: "a link to a FIFO inside",
    path: "dir/l",
    make: (at) => (mkfifo(join(at.root, "pipe")), link("../pipe", "dir/l")(at)),
    code: "special_file",
    reaches: "nothing",
  },
  {
    name: "Nest's own folder",
    path: ".nest-tmp",
    make: (at) => mkdirSync(join(at.root, ".nest-tmp")),
    code: "reserved",
    reaches: "nothing",
  },
  {
    name: "a file in Nest's own folder",
    path: ".nest-tmp/x",
    make: (at) => (
      mkdirSync(join(at.root, ".nest-tmp")),
      writeFileSync(join(at.root, ".nest-tmp/x"), "")
    ),
    code: "reserved",
    reaches: "nothing",
  },
  {
    name: "Nest's own folder by a link",
    path: "l/x",
    make: (at) => (
      mkdirSync(join(at.root, ".nest-tmp")),
      mkdirSync(join(at.root, ".nest-tmp/x")),
      link(".nest-tmp", "l")(at)
    ),
    code: "reserved",
    reaches: "nothing",
  },
];

/** They move or delete the link, not what it leads to. */
const OF_LINKS: Readonly<Record<string, string>> = {
  "move from": "ok",
  "move to": "exists",
  "move over": "ok",
  remove: "ok",
  "remove all": "ok",
};

/** All that is outside, with its content. */
function outsideOf(at: TestVault): string {
  return readdirSync(at.outside, { recursive: true, encoding: "utf8" })
    .toSorted()
    .map((name) => {
      const path = join(at.outside, name);
      return `${name}:${lstatSync(path).isFile() ? readFileSync(path, "utf8") : "dir"}`;
    })
    .join("|");
}

for (const mayPin of [true, false]) {
  describe(`vault ${mayPin ? "pinned" : "where nothing pins"}: ways out`, () => {
    let at: TestVault;
    beforeEach(() => {
      at = testVault(mayPin ? {} : { mayPin });
      mkdirSync(join(at.root, "dir"));
      mkdirSync(join(at.outside, "sub"));
      writeFileSync(join(at.root, "a.md"), "inside");
      writeFileSync(join(at.outside, "secret.md"), SECRET);
      writeFileSync(join(at.outside, "sub/deep.md"), SECRET);
      writeFileSync(join(at.dir, "beside"), SECRET);
    });
    afterEach(() => at[Symbol.dispose]());

    for (const [operation, act] of Object.entries(OPERATIONS)) {
      test.each(ROWS)(
        `${operation}: $name`,
        async ({ name, path, make, code, reaches = "secret" }) => {
          make?.(at);
          // The attack works where nobody looks.
          if (reaches === "secret") expect(readFileSync(`${at.root}/${path}`, "utf8")).toBe(SECRET);
          const before = outsideOf(at);
          const violations: Violation[] = [];
          const caller = { violated: (violation: Violation) => void violations.push(violation) };
          const outcome = await outcomeOf(() => act(at.vault, path, caller));
          const isOfLink = name === "a link to a FIFO inside" && operation in OF_LINKS;
          expect(outcome).toBe(isOfLink ? OF_LINKS[operation]! : code);
          expect(outsideOf(at)).toBe(before);
          expect(readdirSync(at.dir).filter((it) => it.includes("new") || it === "gone")).toEqual(
            [],
          );
          const isViolation = ["path_escapes", "special_file", "reserved"].includes(outcome);
          expect(violations.map((it) => it.code)).toEqual(isViolation ? [outcome] : []);
          expect(existsSync(join(at.root, "a.md")) || operation.startsWith("move")).toBe(true);
        },
      );
    }

    test("the root can't be written, moved, replaced or deleted, by its own name or by a link", async () => {
      symlinkSync(".", join(at.root, "here"));
      symlinkSync(at.root, join(at.root, "there"));
      const { vault } = at;
      for (const act of [
        () => vault.write("", CONTENT, WRITE),
        () => vault.move("", "x"),
        () => vault.move("a.md", ""),
        () => vault.move("a.md", "", { overwrite: true }),
        () => vault.remove("", { recursive: true, permanent: true }),
      ]) {
        expect(await outcomeOf(act)).toBe("root_protected");
      }
      expect(await outcomeOf(() => vault.write("here", CONTENT, WRITE))).toBe("root_protected");
      expect(await outcomeOf(() => vault.remove("here"))).toBe("ok");
      expect(
        await outcomeOf(() => vault.remove("there", { recursive: true, permanent: true })),
      ).toBe("ok");
      expect(readFileSync(join(at.root, "a.md"), "utf8")).toBe("inside");
    });
  });
}
