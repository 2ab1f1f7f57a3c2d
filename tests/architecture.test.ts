import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "bun:test";

/** Which part may know which: the direction in which the house is built (docs/architecture.md). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "clock.ts": [],
  auth: [],
  log: [],
  vault: ["clock.ts"],
  limit: ["clock.ts"],
  metrics: ["clock.ts", "log"],
  webhook: ["auth", "clock.ts", "log"],
  config: ["agent", "auth", "limit", "log", "webhook"],
  agent: ["auth", "clock.ts", "log"],
  attach: ["agent", "auth", "clock.ts", "limit", "log"],
  http: ["agent", "attach", "auth", "clock.ts", "limit", "log", "metrics", "vault", "webhook"],
  terminal: ["attach"],
  // From outside: it knows what is in force by attacking it, so none of the gateway's own parts but the few that no
  // network could show.
  audit: ["auth", "config"],
  cli: [
    "agent",
    "attach",
    "audit",
    "auth",
    "clock.ts",
    "config",
    "http",
    "limit",
    "log",
    "metrics",
    "terminal",
    "vault",
    "webhook",
  ],
  "main.ts": ["cli"],
  // Runs in the browser, and shares with the server what a client of it needs: see below.
  web: ["attach"],
};

/** Packages, and where alone each may be imported. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  hono: ["http"],
  valibot: ["config", "agent", "http"],
  yaml: ["config"],
  "@codemirror/commands": ["web"],
  "@codemirror/lang-markdown": ["web"],
  "@codemirror/language": ["web"],
  "@codemirror/search": ["web"],
  "@codemirror/state": ["web"],
  "@codemirror/view": ["web"],
  "@lezer/highlight": ["web"],
  "@preact/signals": ["web"],
  diff: ["web"],
  "highlight.js": ["web"],
  lucide: ["web"],
  marked: ["web"],
  preact: ["web"],
  "@earendil-works/pi-ai": ["agent"],
  "@earendil-works/pi-coding-agent": ["agent"],
  "@earendil-works/pi-tui": ["terminal"],
};

/** Files that run in pi's process, on its clock. */
const IN_PI = new Set(["agent/scripted-model.ts"]);

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");

interface SourceFile {
  /** Below src. */
  readonly path: string;
  /** The folder it is in, or its own name. */
  readonly part: string;
  readonly text: string;
}

const files: SourceFile[] = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((path) => /\.[cm]?[jt]sx?$/.test(path))
  .map((path) => ({ path, part: path.split("/")[0] as string, text: read(`src/${path}`) }));

/** What a file imports, types too: `bun`'s own scanner leaves those out. */
function importsOf(text: string): string[] {
  const found: string[] = [];
  for (const pattern of [
    /^(?:import|export)\b[^;"'`]*?\bfrom\s*["']([^"']+)["']/gm,
    /^import\s*["']([^"']+)["']/gm,
    /\b(?:import|require|import\.meta\.resolve)\(\s*["'`]([^"'`]+)["'`]/g,
  ]) {
    for (const [, specifier] of text.matchAll(pattern)) found.push(specifier as string);
  }
  return found;
}

/** The parts and packages that a file imports; its own part is left out. */
function needsOf({ path, part, text }: SourceFile): { parts: string[]; packages: string[] } {
  const parts: string[] = [];
  const packages: string[] = [];
  for (const specifier of importsOf(text)) {
    if (specifier.startsWith(".")) {
      const target = normalize(join(dirname(path), specifier)).split("/")[0] as string;
      if (target !== part) parts.push(target);
    } else if (!/^(?:node|bun):|^bun$/.test(specifier)) {
      packages.push(specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/"));
    }
  }
  return { parts, packages };
}

/** Code without comments and types; strings stay. */
const code = (text: string) =>
  new Bun.Transpiler({ loader: "ts", target: "bun", deadCodeElimination: false }).transformSync(
    text,
  );

/** The process's own: what only cli and main.ts may touch, so that everything else can be handed a test's. */
const AMBIENT =
  /\bprocess\s*\.\s*(?:env|argv|stdin|stdout|stderr|on|once|exit|exitCode|cwd|chdir|hrtime|uptime)\b|\bBun\.(?:serve|env|argv|sleep|sleepSync|nanoseconds|stdin|stdout)\b|\b(?:setTimeout|setInterval|setImmediate)\b|\bDate\.now\b|\bnew Date\b(?!\(\s*[^)\s])|\bperformance\b|\bimport\.meta\.env\b|\bconsole\./;

const names = (list: readonly SourceFile[]) => list.map(({ path }) => path);

describe("architecture", () => {
  test("the scanners see what they look for", () => {
    const text = [
      'import { a } from "../limit/a.ts";',
      'import type { B } from "../log/b.ts";',
      "import {",
      "  type C,",
      '} from "../vault/c.ts";',
      'export { d } from "../http/d.ts";',
      'import "../cli/e.ts";',
      'const f = await import("../agent/f.ts");',
      ' * import { g } from "../comment/g.ts";',
      'import { Hono } from "hono/tiny";',
      'import manifest from "@scope/name/package.json" with { type: "json" };',
      'import { readFileSync } from "node:fs";',
    ].join("\n");
    expect(needsOf({ path: "auth/x.ts", part: "auth", text })).toEqual({
      parts: ["limit", "log", "vault", "http", "cli", "agent"],
      packages: ["hono", "@scope/name"],
    });
    for (const line of [
      "f(process.env)",
      "process.on('x', f)",
      "Bun.serve({})",
      "process.exit(1)",
      "setTimeout(f, 1)",
      "g(setInterval)",
      "Date.now()",
      "new Date()",
      "performance.now()",
    ]) {
      expect(code(`${line};`)).toMatch(AMBIENT);
    }
    for (const line of [
      "process.pid",
      "process.kill(1, 'SIGTERM')",
      "process.platform",
      "process.execPath",
      "new Date(1)",
      "x.performanceNow",
      "/* setTimeout */ 1",
      "const a: typeof setTimeout = b",
    ]) {
      expect(code(`${line};`)).not.toMatch(AMBIENT);
    }
    expect(files.length).toBeGreaterThan(50);
  });

  test("every part of src has its row here", () => {
    expect(
      [...new Set(files.map(({ part }) => part))].filter((part) => MAY_IMPORT[part] === undefined),
    ).toEqual([]);
  });

  test("each part imports only those that it may know", () => {
    const violations = files.flatMap((file) =>
      needsOf(file)
        .parts.filter((part) => !MAY_IMPORT[file.part]?.includes(part) && part !== "..")
        .map((part) => `${file.path} imports ${part}`),
    );
    expect(violations).toEqual([]);
  });

  test("only cli looks outside src, at package.json", () => {
    const outside = files.filter((file) => needsOf(file).parts.includes(".."));
    expect(names(outside).filter((path) => !path.startsWith("cli/"))).toEqual([]);
  });

  test("each package is imported where it belongs and nowhere else", () => {
    const violations = files.flatMap((file) =>
      needsOf(file)
        .packages.filter((name) => !PACKAGES[name]?.includes(file.part))
        .map((name) => `${file.path} imports ${name}`),
    );
    expect(violations).toEqual([]);
  });

  test("agent takes types alone from auth, and nothing at all from vault", () => {
    for (const { path, part, text } of files) {
      if (part !== "agent") continue;
      for (const [statement] of text.matchAll(/^import\b[^;]*from "\.\.\/auth\/[^"]+";/gm)) {
        expect({ path, isTypes: statement.startsWith("import type") }).toEqual({
          path,
          isTypes: true,
        });
      }
    }
  });

  test("attach/protocol.ts imports nothing: every client can share it", () => {
    const protocol = files.find(({ path }) => path === "attach/protocol.ts");
    expect(protocol && importsOf(protocol.text)).toEqual([]);
  });

  test("only cli and main.ts touch the process, its clock and its timers", () => {
    const violations = files.filter(
      ({ path, part, text }) =>
        part !== "cli" &&
        part !== "main.ts" &&
        part !== "web" &&
        !IN_PI.has(path) &&
        AMBIENT.test(code(text)),
    );
    expect(names(violations)).toEqual([]);
  });

  test("no default exports, except where pi looks for one", () => {
    const isDefault = ({ text }: SourceFile) => /^export\s+default\b|\bas\s+default\b/m.test(text);
    expect(names(files.filter(isDefault))).toEqual(["agent/scripted-model.ts"]);
  });

  test("no barrels: no index, and no file that only passes on what others export", () => {
    const violations = files.filter(
      ({ path, text }) =>
        /(?:^|\/)index\.\w+$/.test(path) ||
        /^export\s*(?:\*|(?:type\s*)?\{[^}]*\}\s*from)/m.test(text),
    );
    expect(names(violations)).toEqual([]);
  });

  test("files are named after what they are about, in kebab-case", () => {
    const violations = files.filter(
      ({ path }) =>
        /(?:util|helper|manager|service|misc|common)s?\b/i.test(path) ||
        !path.split("/").every((name) => /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.[a-z]+)*$/.test(name)),
    );
    expect(names(violations)).toEqual([]);
  });

  test("every package that Nest ships with is named in docs/dependencies.md, and none is loosely pinned", () => {
    const { dependencies, optionalDependencies } = JSON.parse(read("package.json"));
    const shipped: Record<string, string> = { ...dependencies, ...optionalDependencies };
    const document = read("docs/dependencies.md");
    expect(Object.keys(shipped).length).toBeGreaterThan(2);
    for (const [name, version] of Object.entries(shipped)) {
      expect(version).toMatch(/^\d+\.\d+\.\d+$/);
      expect({
        name,
        isNamed:
          document.includes(`\`${name}\``) ||
          new RegExp(`(?<![\\w@/-])${RegExp.escape(name)}(?![\\w/-])`, "i").test(document),
      }).toEqual({ name, isNamed: true });
    }
  });
});
