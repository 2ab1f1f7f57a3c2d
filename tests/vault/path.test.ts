import { describe, expect, test } from "bun:test";
import { VaultError } from "../../src/vault/error.ts";
import { decodePath, parsePath } from "../../src/vault/path.ts";

/** What a path comes to: its names, or the code of the refusal. */
function outcomeOf(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    if (error instanceof VaultError) return error.code;
    throw error;
  }
}

describe("parsePath", () => {
  test.each([
    { name: "a name", path: "a.md", names: ["a.md"] },
    { name: "folders", path: "inbox/deep/b.md", names: ["inbox", "deep", "b.md"] },
    {
      name: "a slash at the end, for a folder",
      path: "inbox/deep/",
      names: ["inbox", "deep"],
      isFolder: true,
    },
    { name: "nothing, for the root", path: "", names: [], isFolder: true },
    { name: "dots in names", path: "..a/b../.../.c", names: ["..a", "b..", "...", ".c"] },
    {
      name: "a percent sign: nothing is decoded here",
      path: "%2e%2e/%2f",
      names: ["%2e%2e", "%2f"],
    },
    { name: "spaces and letters of all kinds", path: "Ünï/ 字 🔑.md", names: ["Ünï", " 字 🔑.md"] },
    {
      name: "both normal forms, as they are",
      path: "\u00e9/e\u0301",
      names: ["\u00e9", "e\u0301"],
    },
    { name: "both cases", path: "A/a", names: ["A", "a"] },
    { name: "newlines and control characters", path: "a\nb/\x01\x7f", names: ["a\nb", "\x01\x7f"] },
    { name: "what Windows forbids", path: "con/a:b/c*?/d.", names: ["con", "a:b", "c*?", "d."] },
    { name: "255 bytes", path: "n".repeat(255), names: ["n".repeat(255)] },
    { name: "255 bytes of UTF-8", path: `${"é".repeat(127)}x`, names: [`${"é".repeat(127)}x`] },
    {
      name: "4,000 bytes",
      path: "ab/".repeat(1333) + "a",
      names: [...Array(1333).fill("ab"), "a"],
    },
    {
      name: "a slash that only looks like one",
      path: "a\u2215b\uff0fc\u2044",
      names: ["a\u2215b\uff0fc\u2044"],
    },
    {
      name: "dots that only look like them",
      path: "\u2024\u2024/\uff0e\uff0e",
      names: ["\u2024\u2024", "\uff0e\uff0e"],
    },
  ])("splits $name", ({ path, names, isFolder = false }) => {
    expect(outcomeOf(() => parsePath(path))).toEqual({ names, isFolder });
  });

  test.each([
    { name: "..", path: "..", code: "path_escapes" },
    { name: ".. in front", path: "../outside/secret", code: "path_escapes" },
    { name: ".. in the middle", path: "a/../../outside", code: "path_escapes" },
    { name: ".. that stays inside", path: "a/../b", code: "path_escapes" },
    { name: ".. at the end", path: "a/..", code: "path_escapes" },
    { name: "../", path: "../", code: "path_escapes" },
    { name: ".. behind an empty name", path: "a//..", code: "path_escapes" },
    { name: ".. and a NUL: the attack is what it is", path: "../\0", code: "path_escapes" },
    { name: "an absolute path", path: "/etc/passwd", code: "path_escapes" },
    { name: "the root by its slash", path: "/", code: "path_escapes" },
    { name: "two slashes in front", path: "//etc/passwd", code: "path_escapes" },
    { name: "a backslash", path: "a\\b", code: "path_escapes" },
    { name: "a Windows way up", path: "..\\..\\outside", code: "path_escapes" },
    { name: "a Windows drive", path: "C:\\secret", code: "path_escapes" },
    { name: "a NUL", path: "a.md\0.txt", code: "bad_path" },
    { name: ".", path: ".", code: "bad_path" },
    { name: "./", path: "./a", code: "bad_path" },
    { name: ". in the middle", path: "a/./b", code: "bad_path" },
    { name: "an empty name", path: "a//b", code: "bad_path" },
    { name: "two slashes at the end", path: "a//", code: "bad_path" },
    { name: "half a surrogate pair", path: "a\ud800", code: "bad_path" },
    { name: "the other half", path: "\udc00/a", code: "bad_path" },
    { name: "256 bytes", path: "n".repeat(256), code: "bad_path" },
    { name: "256 bytes of UTF-8 in 128 characters", path: "é".repeat(128), code: "bad_path" },
    { name: "4,001 bytes", path: `${"ab/".repeat(1333)}ab`, code: "bad_path" },
    { name: "4,001 bytes of UTF-8", path: `${"é/".repeat(1333)}éé`, code: "bad_path" },
    { name: "a megabyte", path: "a/".repeat(500_000), code: "bad_path" },
  ])("refuses $name", ({ path, code }) => {
    expect(outcomeOf(() => parsePath(path))).toBe(code);
  });

  test("lets nothing through that a path could leave by, for 20,000 paths of hostile pieces", () => {
    const pieces = [
      "..",
      ".",
      "",
      "/",
      "a",
      "\\",
      "\0",
      "%2e%2e",
      "\ud800",
      "é",
      "\u2025",
      "..;",
      "~",
      "\n",
    ];
    for (let i = 0; i < 20_000; i++) {
      let path = "";
      for (let n = (i % 7) + 1; n > 0; n--) {
        path +=
          pieces[Math.floor(Math.random() * pieces.length)]! + (Math.random() < 0.5 ? "/" : "");
      }
      const outcome = outcomeOf(() => parsePath(path)) as
        { names: string[]; isFolder: boolean } | string;
      if (typeof outcome === "string") continue;
      const { names, isFolder } = outcome;
      // Canonical: put together again it is the same text.
      expect(names.join("/") + (isFolder && names.length > 0 ? "/" : "")).toBe(path);
      for (const name of names) expect(name).not.toMatch(/^\.{0,2}$|[/\\\0]/);
    }
  });
});

describe("decodePath", () => {
  test.each([
    { name: "UTF-8", path: "%C3%A9/%F0%9F%94%91", expected: "é/🔑" },
    { name: "once and no more", path: "%252e%252e", expected: "%2e%2e" },
    { name: "a slash, which parsePath then sees", path: "..%2f..", expected: "../.." },
    { name: "nothing to do", path: "a b+c", expected: "a b+c" },
    { name: "bytes that are no UTF-8", path: "%ff", expected: "bad_path" },
    { name: "an overlong slash", path: "%c0%af", expected: "bad_path" },
    { name: "a surrogate in UTF-8", path: "%ed%a0%80", expected: "bad_path" },
    { name: "half an escape", path: "a%2", expected: "bad_path" },
    { name: "no escape at all", path: "a%zz", expected: "bad_path" },
  ])("$name", ({ path, expected }) => {
    expect(outcomeOf(() => decodePath(path))).toBe(expected);
  });
});
