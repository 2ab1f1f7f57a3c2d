import type * as v from "valibot";
import { nearest } from "./nearest.ts";
import type { Problem } from "./problem.ts";
import { configSchema } from "./schema.ts";
import type { Source } from "./source.ts";

type Path = readonly (string | number)[];

/** Keys whose wrong values are shown, being short words or numbers: a value elsewhere may be a secret that slipped. */
const SHOWN_KEYS = new Set([
  "port",
  "host",
  "level",
  "format",
  "verify",
  "expires",
  "maxFileBytes",
  "maxFailures",
  "windowSeconds",
  "ipv6Prefix",
  "perSource",
  "global",
]);
const SHORT_WORD = /^[\w.:+-]{1,16}$/;

/** Turns what the schema says into problems at their places. Unknown keys are {@link unknownKeys}' to tell. */
export function schemaProblems(
  source: Source,
  issues: readonly v.BaseIssue<unknown>[],
): readonly Problem[] {
  return issues.filter((issue) => !isUnknownKey(issue)).map((issue) => problemOf(source, issue));
}

function isUnknownKey(issue: v.BaseIssue<unknown>): boolean {
  return issue.type === "strict_object" && issue.expected === "never";
}

function problemOf(source: Source, issue: v.BaseIssue<unknown>): Problem {
  const items = issue.path ?? [];
  const path = items.map((item) => item.key as string | number);
  const last = items.at(-1);
  const isKey = last !== undefined && "origin" in last && last.origin === "key";
  if (last !== undefined && last.value === undefined && issue.received === "undefined") {
    // The schema's message is that of the mapping around it; of the owner's token there is more to say.
    const isToken = /^server(?:\.token)?$/.test(path.join("."));
    const hint = isToken ? ": the owner's token; `nest token` prints a new one" : "";
    return source.problem(path, `expected this required key, found nothing${hint}`);
  }
  // A key that is none may be a secret in the wrong place: it is not repeated.
  if (isKey) return source.problem(path, `expected ${issue.message}`, "key");
  const found = SHOWN_KEYS.has(String(path.at(-1))) ? shown(issue.input) : kindOf(issue.input);
  return source.problem(path, `expected ${issue.message}, found ${found}`);
}

/** A schema as far as its keys are looked at. */
interface Node {
  readonly type: string;
  readonly wrapped?: Node;
  readonly entries?: Readonly<Record<string, Node>>;
  readonly item?: Node;
  readonly value?: Node;
}

/** Names that valibot drops from a mapping of free names without a word (as every Object has them). */
const DROPPED_NAMES = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Every key that the schema does not know, wherever it stands. Valibot's `strictObject` names the first of each
 * mapping only.
 */
export function unknownKeys(
  source: Source,
  value: unknown = source.value,
  schema: Node = configSchema as unknown as Node,
  path: Path = [],
): Problem[] {
  let node = schema;
  while (node.wrapped !== undefined) node = node.wrapped;
  if (Array.isArray(value)) {
    const { item } = node;
    if (item === undefined) return [];
    return value.flatMap((one, i) => unknownKeys(source, one, item, [...path, i]));
  }
  if (typeof value !== "object" || value === null) return [];
  const found: Problem[] = [];
  for (const [key, inner] of Object.entries(value)) {
    const at = [...path, key];
    const { entries } = node;
    if (entries !== undefined && !Object.hasOwn(entries, key)) {
      found.push(unknownKey(source, at, Object.keys(entries)));
    } else if (node.type === "record" && DROPPED_NAMES.has(key)) {
      found.push(source.problem(at, `expected another name than "${key}"`, "key"));
    } else {
      const next = entries?.[key] ?? node.value;
      if (next !== undefined) found.push(...unknownKeys(source, inner, next, at));
    }
  }
  return found;
}

function unknownKey(source: Source, path: Path, known: readonly string[]): Problem {
  const key = String(path.at(-1));
  const list = `expected one of ${known.join(", ")}`;
  if (!source.isShown(key)) {
    return source.problem(path, `unknown key; ${list}. Is a space missing behind a colon?`, "key");
  }
  const hint = nearest(key, known);
  return source.problem(
    path,
    `unknown key; ${hint === undefined ? list : `did you mean "${hint}"?`}`,
    "key",
  );
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "an empty value";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (value === "") return "an empty string";
  return typeof value === "string" ? "another string" : `a ${typeof value}`;
}

function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && SHORT_WORD.test(value) ? `"${value}"` : kindOf(value);
}
