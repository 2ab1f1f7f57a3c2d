import { linkSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { ImageRefused, imageReader } from "../../src/vault/image.ts";
import { mkfifo, SECRET, type TestVault, testVault } from "../support/vault.ts";

const PNG = Buffer.from("iVBORw0KGgo=", "base64");

let at: TestVault;

beforeEach(() => {
  at = testVault();
  mkdirSync(join(at.root, "inbox", "deep"), { recursive: true });
  writeFileSync(join(at.root, "a.png"), PNG);
  writeFileSync(join(at.root, "inbox", "deep", "b.png"), PNG);
  writeFileSync(join(at.outside, "secret.png"), SECRET);
});
afterEach(() => at[Symbol.dispose]());

describe("imageReader", () => {
  const reason = (path: string): string => {
    try {
      imageReader(at.vault)(path);
    } catch (error) {
      if (error instanceof ImageRefused) return error.message;
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
    writeFileSync(join(at.root, "inbox", `picture.${name}`), PNG);
    expect(imageReader(at.vault)(`inbox/picture.${name}`) as unknown).toEqual({
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
    writeFileSync(join(at.root, "notes.md"), "x");
    expect(reason(name)).toBe(`Cannot attach "${name}": expected a png, jpeg, gif or webp file`);
  });

  test.each([
    {
      name: "a way out",
      path: "../outside/secret.png",
      says: "the path leads out of the vault",
    },
    {
      name: "an absolute path",
      path: "/etc/a.png",
      says: "the path leads out of the vault",
    },
    { name: "a NUL", path: "a\0.png", says: "no file can have this path" },
    { name: "a file that is not there", path: "gone.png", says: "no such file in the vault" },
    {
      name: "a name that is too long",
      path: `${"n".repeat(300)}.png`,
      says: "no file can have this path",
    },
    {
      name: "a file in the place of a folder",
      path: "a.png/b.png",
      says: "no such file in the vault",
    },
  ])("refuses $name, and says why without the host's path", ({ path, says }) => {
    const message = reason(path);
    expect(message).toContain(says);
    expect(message).not.toContain(at.dir);
  });

  test("refuses links, folders, FIFOs and sockets with an image's name, and does not wait for them", async () => {
    symlinkSync(join(at.outside, "secret.png"), join(at.root, "link.png"));
    symlinkSync("../outside", join(at.root, "folder"));
    mkdirSync(join(at.root, "folder.png"));
    mkfifo(join(at.root, "pipe.png"));
    using server = Bun.listen({ unix: join(at.root, "socket.png"), socket: { data() {} } });
    expect(server.unix).toBe(join(at.root, "socket.png"));
    expect(reason("link.png")).toContain("leads out of the vault");
    expect(reason("folder/secret.png")).toContain("leads out of the vault");
    expect(reason("folder.png")).toContain("not a regular file");
    expect(reason("pipe.png")).toContain("not a regular file");
    expect(reason("socket.png")).toContain("not a regular file");
  });

  test("reads 5 MiB and no more, by the size of the file", () => {
    const file = join(at.root, "big.png");
    const resize = (bytes: number) => Bun.spawnSync(["truncate", "-s", String(bytes), file]);
    const maxBytes = 5 * 1024 * 1024;
    resize(maxBytes);
    expect(Buffer.from(imageReader(at.vault)("big.png").data, "base64")).toHaveLength(maxBytes);
    resize(maxBytes + 1);
    expect(reason("big.png")).toBe(`Cannot attach "big.png": more than ${maxBytes} bytes`);
  });

  test("reads a hard link: that is the file itself", () => {
    linkSync(join(at.root, "a.png"), join(at.root, "same.png"));
    expect(reason("same.png")).toBe("read");
  });

  test("follows links that stay inside", () => {
    symlinkSync("inbox", join(at.root, "in"));
    symlinkSync(join(at.root, "in", "deep", "b.png"), join(at.root, "link.png"));
    expect(reason("link.png")).toBe("read");
  });

  test("leaves no descriptor behind over 1,000 reads and refusals", () => {
    mkfifo(join(at.root, "pipe.png"));
    symlinkSync("../outside/secret.png", join(at.root, "link.png"));
    for (let i = 0; i < 1000; i++) {
      expect(reason("inbox/deep/b.png")).toBe("read");
      for (const path of ["gone.png", "pipe.png", "link.png", "a.png/x.png", "../x.png"]) {
        expect(reason(path)).not.toBe("read");
      }
    }
    expect(at.descriptors() - 1).toBe(0);
  });
});
