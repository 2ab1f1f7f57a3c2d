import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import type { Problem } from "./problem.ts";

/** A config file's text, parsed, with the place of everything in it. */
export interface Source {
  /** Plain objects, arrays and scalars; keys in the file's order. */
  readonly value: unknown;
  /** The problem `message` at the node that `path` names, or at the nearest one above it. */
  problem(path: readonly (string | number)[], message: string, at?: "key" | "value"): Problem;
  /** True if `key` looks like one, so that messages repeat it. */
  isShown(key: string): boolean;
}

/**
 * Reads YAML 1.2.
 *
 * Its messages are ours: the library's quote the offending line, and that line may hold the token.
 *
 * @returns the source, or the syntax problems
 */
export function parseSource(file: string, text: string): Source | Problem[] {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const place = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { file, line, column: col };
  };
  // A warning here is a tag or a directive that means nothing to us; the value under it may not be what it looks like.
  const errors = [...document.errors, ...document.warnings];
  if (errors.length > 0) {
    return errors.map(({ code, pos }) => Object.assign(place(pos[0]), { message: explain(code) }));
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const alias = (error as Error).message.startsWith("Unresolved alias")
      ? firstUnknownAlias(document)
      : undefined;
    return alias === undefined
      ? [{ file, message: "expected fewer aliases: the file expands too far" }]
      : [{ ...place(alias), message: explain("BAD_ALIAS") }];
  }
  return {
    value,
    problem(path, message, at = "value") {
      const offset = offsetOf(document, path, at);
      return { ...place(offset), path: path.map(shownPart).join(""), message };
    },
    isShown: (key) => KEY.test(key),
  };
}

/** What looks like a key: anything else may be a secret in the wrong place (`token:secret` is one key in YAML). */
const KEY = /^[A-Za-z_][A-Za-z0-9_-]{0,31}$/;

function shownPart(part: string | number, i: number): string {
  if (typeof part === "number") return `[${part}]`;
  return (i === 0 ? "" : ".") + (KEY.test(part) ? part : "?");
}

const EXPLANATIONS: Partial<Record<YAMLError["code"], string>> = {
  DUPLICATE_KEY: "expected each key once in its mapping, found one twice",
  TAB_AS_INDENT: "expected spaces, found a tab used to indent",
  BAD_INDENT: "expected the same indentation as the lines around it",
  MISSING_CHAR:
    "expected valid YAML, found a quote or bracket that is not closed, or a missing colon",
  MULTIPLE_DOCS: 'expected one YAML document, found a second one after "---"',
  BAD_ALIAS: "expected a known alias after *; put the value in quotes if it begins with *",
  TAG_RESOLVE_FAILED: "expected no YAML tag; put the value in quotes if it begins with !",
};

function explain(code: YAMLError["code"]): string {
  return EXPLANATIONS[code] ?? `expected valid YAML (${code.toLowerCase().replaceAll("_", " ")})`;
}

/** Where an alias to nothing stands: the library finds it only when it makes values, and does not say. */
function firstUnknownAlias(document: Document.Parsed): number | undefined {
  let offset: number | undefined;
  visit(document, {
    Alias(_key, alias) {
      if (alias.resolve(document) !== undefined) return undefined;
      offset = alias.range?.[0];
      return visit.BREAK;
    },
  });
  return offset;
}

/** Character offset of the node at `path`; missing parts fall back to what encloses them. */
function offsetOf(
  document: Document,
  path: readonly (string | number)[],
  at: "key" | "value",
): number {
  let node: unknown = document.contents;
  let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
  for (const [i, part] of path.entries()) {
    if (isMap(node)) {
      const pair = node.items.find(
        (item) => isPair(item) && isScalar(item.key) && item.key.value === part,
      );
      if (pair === undefined) break;
      const last = i === path.length - 1;
      const key = isNode(pair.key) ? pair.key.range?.[0] : undefined;
      const value = isNode(pair.value) ? pair.value.range?.[0] : undefined;
      offset = (last && at === "key" ? key : (value ?? key)) ?? offset;
      node = pair.value;
    } else {
      const item = (node as { items?: unknown[] } | null)?.items?.[part as number];
      if (!isNode(item)) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    }
  }
  return offset;
}
