import {
  type Document,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  type YAMLError,
} from "yaml";
import type { Problem } from "./problem.ts";

/** A config file's text, parsed, with the place of everything in it. */
export interface Source {
  /** Plain objects, arrays and scalars; keys in the file's order. */
  readonly value: unknown;
  /** The problem `message` at the node that `path` names, or at the nearest one above it. */
  problem(
    path: readonly (string | number)[],
    message: string,
    at?: "key" | "value",
    shownPath?: readonly (string | number)[],
  ): Problem;
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
  if (document.errors.length > 0) {
    return document.errors.map((error) => ({ ...place(error.pos[0]), message: explain(error) }));
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 100 });
  } catch {
    return [{ file, message: "expected fewer aliases: the file expands too far" }];
  }
  return {
    value,
    problem(path, message, at = "value", shownPath = path) {
      const offset = offsetOf(document, path, at);
      const name = shownPath.map(shownPart).join("");
      return { ...place(offset), path: name, message };
    },
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

function explain(error: YAMLError): string {
  return (
    EXPLANATIONS[error.code] ??
    `expected valid YAML (${error.code.toLowerCase().replaceAll("_", " ")})`
  );
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
