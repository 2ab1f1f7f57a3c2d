import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.ts";
import { type ConfigError, formatProblem } from "../../src/config/problem.ts";
import { configSchema } from "../../src/config/schema.ts";
import { PLACEHOLDER_TOKEN } from "../../src/config/token-strength.ts";

/** `config.example.yaml` holds every key of the schema: those with a default at their default, the others as `# ` lines. */

const example = readFileSync(new URL("../../config.example.yaml", import.meta.url), "utf8");
const TOKEN = "a-token-of-forty-characters-for-the-test";

const load = (text: string) =>
  loadConfig("/srv/nest/config.yaml", text, { env: {}, readFile: () => "" });

/** A key of the schema. In `path`, `*` stands for any name and `[]` for any place in a list. */
interface Key {
  readonly path: string;
  readonly hasDefault: boolean;
  readonly default?: unknown;
}

interface Node {
  readonly type: string;
  readonly wrapped?: Node;
  readonly default?: unknown;
  readonly entries?: Record<string, Node>;
  readonly item?: Node;
  readonly value?: Node;
}

function keysOf(node: Node, path = ""): Key[] {
  if (node.wrapped) return keysOf(node.wrapped, path);
  if (node.item) return keysOf(node.item, `${path}[]`);
  if (node.type === "record" && node.value) return keysOf(node.value, `${path}.*`);
  return Object.entries(node.entries ?? {}).flatMap(([name, inner]) => {
    const own = path === "" ? name : `${path}.${name}`;
    const hasDefault = inner.type === "optional" && inner.default !== undefined;
    return [{ path: own, hasDefault, default: inner.default } as Key].concat(keysOf(inner, own));
  });
}

/** Every path in a value, in the same notation; `names` are the paths whose keys are free. */
function pathsOf(value: unknown, isFree: (path: string) => boolean, path = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => pathsOf(item, isFree, `${path}[]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const part = isFree(path) ? "*" : name;
    const own = path === "" ? part : `${path}.${part}`;
    return [own].concat(pathsOf(inner, isFree, own));
  });
}

const at = (value: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>((inner, name) => (inner as Record<string, unknown>)?.[name], value);

const keys = keysOf(configSchema as unknown as Node);
const isFree = (path: string) => keys.some((key) => key.path.startsWith(`${path}.*`));
const withToken = example.replace(PLACEHOLDER_TOKEN, TOKEN);

/** The example with its `# ` lines uncommented; a line that they replace (`tokens: []`) is dropped. */
function uncommented(): string {
  const lines = withToken.split("\n");
  const open = lines.map((line) => line.replace(/^(\s*)# (?!#)/, "$1"));
  return open
    .filter((line, i) => {
      const empty = /^(\s*\w+:) (?:\[\]|\{\})$/.exec(line);
      return empty === null || !open.some((other, j) => j !== i && other === empty[1]);
    })
    .join("\n");
}

describe("config.example.yaml", () => {
  test("the walk over configSchema finds what is known to be there", () => {
    const paths = keys.map(({ path }) => path);
    expect(paths).toContain("server.tokens[].expires");
    expect(paths).toContain("server.cors.origin");
    expect(paths).toContain("webhooks.sources.*.template");
    expect(paths).toContain("sessions.*.cwd");
    expect(paths.length).toBeGreaterThan(30);
    expect(keys.find(({ path }) => path === "server.port")?.default).toBe(8484);
  });

  test("as it is, is refused because of the placeholder token and nothing else", () => {
    let problems: string[] = [];
    try {
      load(example);
    } catch (error) {
      problems = (error as ConfigError).problems.map(formatProblem);
    }
    expect(problems).toEqual([
      expect.stringMatching(/: server\.token: expected a token of your own, found a placeholder/),
    ]);
    expect(example.split(PLACEHOLDER_TOKEN)).toHaveLength(2);
  });

  test("with a token of one's own, means the same as a config with nothing but the token", () => {
    expect(load(withToken)).toEqual(load(`server: { token: ${TOKEN} }\n`));
  });

  test("shows every key that has a default at that default", () => {
    const value = parse(withToken);
    const shown = keys.filter(({ path, hasDefault }) => hasDefault && !/[*[]/.test(path));
    expect(shown.length).toBeGreaterThan(20);
    for (const { path, default: expected } of shown) {
      const found = at(value, path);
      expect({ path, isThere: found !== undefined }).toEqual({ path, isThere: true });
      // `default: {}` stands for the defaults of the keys inside, which have rows of their own.
      const isSection = keys.some((key) => key.path.startsWith(`${path}.`) && !isFree(path));
      if (isSection) continue;
      // Without cwd a session works in the vault; the example says so by its path.
      const spelledOut =
        path === "sessions"
          ? { default: { cwd: at(value, "vault.path"), idleMinutes: 0 } }
          : expected;
      expect({ path, found }).toEqual({ path, found: spelledOut });
    }
  });

  test("with its # lines uncommented, loads and shows every key of the schema and no other", () => {
    const text = uncommented();
    const { config } = load(text);
    expect(config.server.principals.map(({ name }) => name)).toEqual(["owner", "phone"]);
    expect([...config.webhooks.sources.keys()]).toEqual(["github"]);
    const found = new Set(pathsOf(parse(text), isFree));
    const expected = new Set(keys.map(({ path }) => path));
    for (const path of expected) if (isFree(path)) expected.add(`${path}.*`);
    expect([...found].toSorted()).toEqual([...expected].toSorted());
  });

  test("keeps prose and keys apart: every comment begins with ## or is a key", () => {
    for (const line of example.split("\n")) {
      const comment = /^\s*(#.*)$/.exec(line)?.[1];
      if (comment !== undefined) expect(comment).toMatch(/^(?:## \S|# +(?:- )?\w+:)/);
    }
  });
});
