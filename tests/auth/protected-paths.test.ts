import { describe, expect, test } from "bun:test";
import type { Principal, Scope } from "../../src/auth/principal.ts";
import { isProtectedPath, mayChange } from "../../src/auth/protected-paths.ts";

const token = (...scopes: Scope[]): Principal => ({
  name: "test",
  digest: new Uint8Array(32),
  scopes: new Set(scopes),
});

/** Each runs code, or undoes a delete, once somebody else has written it. */
const PROTECTED = [
  { name: "an extension of pi's", path: ".pi/extensions/x.ts" },
  { name: "pi's settings", path: ".pi/settings.json" },
  { name: "the folder itself", path: ".pi" },
  { name: "a skill", path: ".agents/skills/x/SKILL.md" },
  { name: "a hook of git's", path: ".git/hooks/pre-commit" },
  { name: "git's config (core.fsmonitor runs a command)", path: ".git/config" },
  { name: "a repository further down", path: "projects/a/.git/config" },
  { name: "pi's folder further down", path: "projects/.pi/extensions/x.ts" },
  { name: "the trash", path: ".trash/2027-01-01/note.md" },
  { name: "the environment", path: ".env" },
  { name: "a variant of it", path: ".env.local" },
  { name: "a variant of it further down", path: "app/.env.production" },
  { name: "direnv's", path: ".envrc" },
  { name: "a folder named so", path: ".env/x" },
  { name: "Bun's preload", path: "bunfig.toml" },
  { name: "upper case (macOS, Windows)", path: ".GIT/config" },
  { name: "mixed case", path: ".Pi/Extensions/x.ts" },
  { name: "upper case of a file", path: ".ENV" },
  { name: "a dot behind (Windows)", path: ".git./config" },
  { name: "a space behind (Windows)", path: ".git /config" },
  { name: "dots and spaces behind", path: ".pi. . ./x" },
  { name: "a stream behind (NTFS)", path: ".git::$INDEX_ALLOCATION/config" },
  { name: "the short name (Windows)", path: "GIT~1/config" },
  { name: "a zero-width joiner in it (HFS+)", path: ".g\u200dit/config" },
  { name: "a soft hyphen in it", path: ".p\u00adi/x" },
  { name: "fullwidth letters", path: ".ｇｉｔ/config" },
  { name: "a fullwidth full stop", path: "．git/config" },
  { name: "a Kelvin sign's kind of letter", path: ".ᵍit/config" },
];

const FREE = [
  "notes/today.md",
  ".gitignore",
  ".github/workflows/x.yml",
  "git/config",
  "pi/x",
  ".pip/x",
  ".environment",
  "env",
  "my.env",
  "trash/x",
  ".obsidian/app.json",
  "bunfig.toml.md",
  "a~1",
];

describe("isProtectedPath", () => {
  test.each(PROTECTED)("$name: $path", ({ path }) => {
    expect(isProtectedPath(path.split("/"))).toBe(true);
  });

  test.each(FREE)("%s is anybody's", (path) => {
    expect(isProtectedPath(path.split("/"))).toBe(false);
  });
});

test("mayChange: vault:write and, where it runs code, admin beside it", () => {
  const plain = ["notes", "a.md"];
  const hook = [".git", "hooks", "pre-commit"];
  expect(mayChange(token("vault:write"), plain)).toBe(true);
  expect(mayChange(token("vault:write"), hook)).toBe(false);
  expect(mayChange(token("vault:write", "admin"), hook)).toBe(true);
  expect(mayChange(token("vault:write", "attach", "prompt", "vault:read", "webhook"), hook)).toBe(
    false,
  );
  expect(mayChange(token("admin"), plain)).toBe(false);
  expect(mayChange(token("vault:read"), plain)).toBe(false);
});
