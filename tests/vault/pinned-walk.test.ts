import {
  closeSync,
  fstatSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { imageReader } from "../../src/vault/image.ts";
import { componentsOf, openBelow, PathRefused } from "../../src/vault/pinned-walk.ts";
import { tempDir } from "../support/temp-dir.ts";

const PNG = Buffer.from("iVBORw0KGgo=", "base64");
const SECRET = "outside the vault";

let dir: ReturnType<typeof tempDir>;
let root: string;

beforeEach(() => {
  dir = tempDir();
  root = join(dir.path, "vault");
  mkdirSync(join(root, "inbox", "deep"), { recursive: true });
  mkdirSync(join(dir.path, "outside"));
  writeFileSync(join(root, "a.png"), PNG);
  writeFileSync(join(root, "inbox", "deep", "b.png"), PNG);
  writeFileSync(join(dir.path, "outside", "secret.png"), SECRET);
});
afterEach(() => dir[Symbol.dispose]());

/** What is read through the walk; throws as it does. */
function read(path: string): string {
  const descriptor = openBelow(root, componentsOf(path));
  try {
    return readFileSync(descriptor, "latin1");
  } finally {
    closeSync(descriptor);
  }
}

function mkfifo(path: string): void {
  const { exitCode } = Bun.spawnSync(["mkfifo", path]);
  if (exitCode !== 0) throw new Error("mkfifo failed");
}

/** Descriptors of this process below the test's folder: others come and go with the test runner. */
function openDescriptors(): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(dir.path);
    } catch {
      return false;
    }
  }).length;
}

describe("componentsOf", () => {
  test.each([
    { name: "a name", path: "a.png", expected: ["a.png"] },
    { name: "folders", path: "inbox/deep/b.png", expected: ["inbox", "deep", "b.png"] },
    { name: "dots in names", path: "..a/b../...", expected: ["..a", "b..", "..."] },
    {
      name: "a percent sign: nothing is decoded here",
      path: "%2e%2e/%2f",
      expected: ["%2e%2e", "%2f"],
    },
    {
      name: "spaces and letters of all kinds",
      path: "Ünï/ 字 🔑.png",
      expected: ["Ünï", " 字 🔑.png"],
    },
    { name: "a newline", path: "a\nb", expected: ["a\nb"] },
    { name: "4,000 characters", path: "a".repeat(4000), expected: ["a".repeat(4000)] },
  ])("splits $name", ({ path, expected }) => {
    expect(componentsOf(path)).toEqual([...expected]);
  });

  test.each([
    { name: "an empty path", path: "" },
    { name: "..", path: ".." },
    { name: ".. in front", path: "../outside/secret.png" },
    { name: ".. in the middle", path: "inbox/../../outside/secret.png" },
    { name: ".. that stays inside", path: "inbox/../a.png" },
    { name: ".. at the end", path: "inbox/.." },
    { name: ".", path: "./a.png" },
    { name: "an absolute path", path: "/etc/passwd" },
    { name: "two slashes in front", path: "//etc/passwd" },
    { name: "an empty name", path: "inbox//a.png" },
    { name: "a slash at the end", path: "inbox/" },
    { name: "a backslash", path: "inbox\\a.png" },
    { name: "a Windows way up", path: "..\\..\\outside" },
    { name: "a NUL", path: "a.png\0.txt" },
    { name: "4,001 characters", path: "a".repeat(4001) },
  ])("refuses $name", ({ path }) => {
    expect(() => componentsOf(path)).toThrow(PathRefused);
  });
});

describe("openBelow", () => {
  test("opens a file at any depth for reading", () => {
    expect(read("a.png")).toBe(PNG.toString("latin1"));
    expect(read("inbox/deep/b.png")).toBe(PNG.toString("latin1"));
  });

  const attacks = [
    {
      name: "a link to a file outside",
      path: "link.png",
      make: () => symlinkSync(join(dir.path, "outside", "secret.png"), join(root, "link.png")),
    },
    {
      name: "a relative link to a file outside",
      path: "link.png",
      make: () => symlinkSync("../outside/secret.png", join(root, "link.png")),
    },
    {
      name: "a link to a folder outside",
      path: "link/secret.png",
      make: () => symlinkSync(join(dir.path, "outside"), join(root, "link")),
    },
    {
      name: "a link in the middle of the path",
      path: "inbox/link/secret.png",
      make: () => symlinkSync("../../outside", join(root, "inbox", "link")),
    },
    {
      name: "a link to a link outside",
      path: "one/secret.png",
      make: () => {
        symlinkSync("two", join(root, "one"));
        symlinkSync("../outside", join(root, "two"));
      },
    },
    {
      name: "a link to /proc/self/root",
      path: `link${"/.".repeat(0)}/etc/hostname`,
      make: () => symlinkSync("/proc/self/root", join(root, "link")),
      isSecret: false,
    },
  ];

  test.each(attacks)("does not follow $name", ({ path, make, isSecret }) => {
    make();
    // The attack works where nobody looks.
    const followed = readFileSync(join(root, path), "latin1");
    if (isSecret !== false) expect(followed).toBe(SECRET);
    expect(() => read(path)).toThrow(/ELOOP|ENOTDIR/);
  });

  test("does not follow links that stay inside either, nor loops, nor links to nothing", () => {
    symlinkSync("a.png", join(root, "inside.png"));
    symlinkSync("inbox", join(root, "folder"));
    symlinkSync("loop", join(root, "loop"));
    symlinkSync("gone", join(root, "dangling"));
    for (const path of [
      "inside.png",
      "folder/deep/b.png",
      "loop",
      "loop/x",
      "dangling",
      "dangling/x",
    ]) {
      expect(() => read(path)).toThrow(/ELOOP|ENOTDIR/);
    }
  });

  test("a file or nothing in the place of a folder is the system's error", () => {
    expect(() => read("a.png/b")).toThrow("ENOTDIR");
    expect(() => read("gone.png")).toThrow("ENOENT");
    expect(() => read("gone/b.png")).toThrow("ENOENT");
  });

  test("a folder that is moved away during the walk takes the walk with it, not to what stands in its place", () => {
    // What a race does between two steps, done between two walks: the pinned folder is the one that was opened.
    const descriptor = openBelow(root, ["inbox"]);
    try {
      renameSync(join(root, "inbox"), join(dir.path, "moved"));
      symlinkSync(join(dir.path, "outside"), join(root, "inbox"));
      expect(readdirSync(`/proc/self/fd/${descriptor}`)).toEqual(["deep"]);
      expect(() => read("inbox/secret.png")).toThrow(/ELOOP|ENOTDIR/);
    } finally {
      closeSync(descriptor);
    }
  });

  test("opens a FIFO without waiting for its other end", () => {
    mkfifo(join(root, "pipe.png"));
    const descriptor = openBelow(root, ["pipe.png"]);
    expect(fstatSync(descriptor).isFIFO()).toBe(true);
    closeSync(descriptor);
  });

  test("leaves no descriptor behind but the one it returns, over 1,000 walks of every outcome", () => {
    symlinkSync("inbox", join(root, "folder"));
    for (let i = 0; i < 1000; i++) {
      closeSync(openBelow(root, ["inbox", "deep", "b.png"]));
      for (const path of [
        ["gone", "x"],
        ["inbox", "deep", "gone"],
        ["a.png", "x"],
        ["folder", "deep"],
        ["x".repeat(300)],
      ]) {
        expect(() => openBelow(root, path)).toThrow();
      }
    }
    expect(openDescriptors()).toBe(0);
    expect(() => openBelow(join(root, "gone"), ["a"])).toThrow("ENOENT");
    const descriptor = openBelow(root, ["a.png"]);
    expect(openDescriptors()).toBe(1);
    closeSync(descriptor);
  });
});

describe("imageReader", () => {
  const reason = (path: string): string => {
    try {
      imageReader(root)(path);
    } catch (error) {
      if (error instanceof PathRefused) return error.message;
      throw error;
    }
    return "read";
  };

  test.each([
    { name: "png", mimeType: "image/png" },
    { name: "PNG", mimeType: "image/png" },
    { name: "jpg", mimeType: "image/jpeg" },
    { name: "jpeg", mimeType: "image/jpeg" },
    { name: "gif", mimeType: "image/gif" },
    { name: "webp", mimeType: "image/webp" },
  ])("reads .$name as $mimeType", ({ name, mimeType }) => {
    writeFileSync(join(root, "inbox", `picture.${name}`), PNG);
    expect(imageReader(root)(`inbox/picture.${name}`) as unknown).toEqual({
      type: "image",
      mimeType,
      data: PNG.toString("base64"),
    });
  });

  test.each(
    [
      "notes.md",
      "a.svg",
      "a.html",
      "a.png.sh",
      "a.png ",
      "png",
      "a.",
      "a",
      "inbox",
      "a.toString",
    ].map((path) => ({ name: path })),
  )("refuses '$name', which is no image by its name", ({ name }) => {
    writeFileSync(join(root, "notes.md"), "x");
    expect(reason(name)).toBe(`Cannot attach "${name}": expected a png, jpeg, gif or webp file`);
  });

  test.each([
    {
      name: "a way out",
      path: "../outside/secret.png",
      says: "expected a relative path inside the vault",
    },
    {
      name: "an absolute path",
      path: "/etc/a.png",
      says: "expected a relative path inside the vault",
    },
    { name: "a NUL", path: "a\0.png", says: "expected a relative path inside the vault" },
    { name: "a file that is not there", path: "gone.png", says: "no such file in the vault" },
    { name: "a name that is too long", path: `${"n".repeat(300)}.png`, says: "it can't be read" },
    {
      name: "a file in the place of a folder",
      path: "a.png/b.png",
      says: "a symbolic link or a file stands in the path",
    },
  ])("refuses $name, and says why without the host's path", ({ path, says }) => {
    const message = reason(path);
    expect(message).toContain(says);
    expect(message).not.toContain(dir.path);
  });

  test("refuses links, folders, FIFOs and sockets with an image's name, and does not wait for them", async () => {
    symlinkSync(join(dir.path, "outside", "secret.png"), join(root, "link.png"));
    symlinkSync("../outside", join(root, "folder"));
    mkdirSync(join(root, "folder.png"));
    mkfifo(join(root, "pipe.png"));
    using server = Bun.listen({ unix: join(root, "socket.png"), socket: { data() {} } });
    expect(server.unix).toBe(join(root, "socket.png"));
    expect(reason("link.png")).toContain("a symbolic link");
    expect(reason("folder/secret.png")).toContain("a symbolic link");
    expect(reason("folder.png")).toContain("not a regular file");
    expect(reason("pipe.png")).toContain("not a regular file");
    expect(reason("socket.png")).toContain("it can't be read");
  });

  test("openBelow hands a device on without reading it: the reader looks at what it is first", () => {
    const descriptor = openBelow("/dev", ["zero"]);
    expect(fstatSync(descriptor).isCharacterDevice()).toBe(true);
    closeSync(descriptor);
  });

  test("reads 5 MiB and no more, by the size of the file", () => {
    const file = join(root, "big.png");
    const resize = (bytes: number) => Bun.spawnSync(["truncate", "-s", String(bytes), file]);
    const maxBytes = 5 * 1024 * 1024;
    resize(maxBytes);
    expect(Buffer.from(imageReader(root)("big.png").data, "base64")).toHaveLength(maxBytes);
    resize(maxBytes + 1);
    expect(reason("big.png")).toBe(`Cannot attach "big.png": more than ${maxBytes} bytes`);
  });

  test("reads a hard link: that is the file itself", () => {
    linkSync(join(root, "a.png"), join(root, "same.png"));
    expect(reason("same.png")).toBe("read");
  });

  test("leaves no descriptor behind over 1,000 reads and refusals", () => {
    mkfifo(join(root, "pipe.png"));
    symlinkSync("a.png", join(root, "link.png"));
    for (let i = 0; i < 1000; i++) {
      expect(reason("inbox/deep/b.png")).toBe("read");
      for (const path of ["gone.png", "pipe.png", "link.png", "a.png/x.png", "../x.png"]) {
        expect(reason(path)).not.toBe("read");
      }
    }
    expect(openDescriptors()).toBe(0);
  });
});
