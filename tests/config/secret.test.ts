import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { parseSecret, resolveSecret, SecretError } from "../../src/config/secret.ts";
import { tempDir } from "../support/temp-dir.ts";

const HEX = new Bun.CryptoHasher("sha256").update("s3cret").digest("hex");

describe("parseSecret", () => {
  test.each([
    { name: "a literal", text: "s3cret", expected: { kind: "literal", value: "s3cret" } },
    { name: "a literal with a colon", text: "a:b", expected: { kind: "literal", value: "a:b" } },
    {
      name: "a literal that begins with a colon",
      text: ":env",
      expected: { kind: "literal", value: ":env" },
    },
    {
      name: "a prefix in capitals is a literal",
      text: "ENV:X",
      expected: { kind: "literal", value: "ENV:X" },
    },
    { name: "a variable", text: "env:NEST", expected: { kind: "env", name: "NEST" } },
    {
      name: "a file",
      text: "file:/run/secrets/nest",
      expected: { kind: "file", path: "/run/secrets/nest" },
    },
    {
      name: "a file with a colon in its name",
      text: "file:a:b",
      expected: { kind: "file", path: "a:b" },
    },
    { name: "a digest", text: `sha256:${HEX}`, expected: { kind: "sha256", hex: HEX } },
  ])("reads $name", ({ text, expected }) => {
    expect(parseSecret(text)).toEqual(expected as never);
  });
});

describe("resolveSecret", () => {
  const resolveIn = (dir: string, text: string, env: Record<string, string> = {}) =>
    resolveSecret(parseSecret(text), {
      env,
      readFile: (path) => readFileSync(join(dir, path), "utf8"),
    });
  const errorOf = (run: () => unknown): string => {
    try {
      run();
    } catch (error) {
      if (error instanceof SecretError) return error.message;
      throw error;
    }
    return "no error";
  };

  test("takes a variable's value as it is, and refuses one that is missing or empty", () => {
    expect(resolveIn("/", "env:A", { A: " s3cret " })).toEqual({ text: " s3cret " });
    expect(errorOf(() => resolveIn("/", "env:A"))).toContain('variable "A" to be set');
    expect(errorOf(() => resolveIn("/", "env:A", { A: "" }))).toContain('variable "A" to be set');
  });

  test.each([
    { name: "LF", content: "s3cret\n", expected: "s3cret" },
    { name: "CRLF", content: "s3cret\r\n", expected: "s3cret" },
    { name: "nothing", content: "s3cret", expected: "s3cret" },
    { name: "two newlines, of which one stays", content: "s3cret\n\n", expected: "s3cret\n" },
    { name: "spaces, which stay", content: " s3cret \n", expected: " s3cret " },
  ])("takes a file's text without the newline at its end: $name", ({ content, expected }) => {
    using dir = tempDir();
    writeFileSync(join(dir.path, "secret"), content);
    expect(resolveIn(dir.path, "file:secret")).toEqual({ text: expected });
  });

  test.each([
    { name: "missing", make: () => {}, says: "(ENOENT)" },
    { name: "a folder", make: (path: string) => mkdirSync(path), says: "(EISDIR)" },
    {
      name: "a link to nothing",
      make: (path: string) => symlinkSync("gone", path),
      says: "(ENOENT)",
    },
    {
      name: "a link to itself",
      make: (path: string) => symlinkSync("secret", path),
      says: "(ELOOP)",
    },
    { name: "empty", make: (path: string) => writeFileSync(path, ""), says: "found it empty" },
    {
      name: "a newline alone",
      make: (path: string) => writeFileSync(path, "\n"),
      says: "found it empty",
    },
  ])("refuses a file that is $name", ({ make, says }) => {
    using dir = tempDir();
    make(join(dir.path, "secret"));
    const message = errorOf(() => resolveIn(dir.path, "file:secret"));
    expect(message).toContain('file "secret"');
    expect(message).toContain(says);
  });

  test("takes a digest in either case", () => {
    for (const hex of [HEX, HEX.toUpperCase()]) {
      expect(resolveIn("/", `sha256:${hex}`)).toEqual({ sha256: Uint8Array.fromHex(HEX) });
    }
  });

  test.each([
    { name: "empty", hex: "" },
    { name: "63 digits", hex: HEX.slice(1) },
    { name: "65 digits", hex: `${HEX}0` },
    { name: "no digits", hex: "z".repeat(64) },
    { name: "a space", hex: ` ${HEX.slice(1)}` },
    { name: "a newline at the end", hex: `${HEX}\n` },
    { name: "the token itself", hex: "s3cret-given-by-mistake" },
  ])("refuses a digest without repeating it: $name", ({ hex }) => {
    const message = errorOf(() => resolveIn("/", `sha256:${hex}`));
    expect(message).toContain("64 hexadecimal digits");
    if (hex !== "") expect(message).not.toContain(hex);
  });
});
