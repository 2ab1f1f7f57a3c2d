/** What the conditions of a request are held against. */
export interface Representation {
  /** Strong, with its quotes. */
  readonly etag: string;
  /** Milliseconds since the Unix epoch. */
  readonly modifiedMs: number;
}

type HeaderOf = (name: string) => string | null;

/**
 * What a GET or HEAD with conditions gets, in the order of RFC 9110 section 13.2.2.
 *
 * @returns 304 or 412, or `undefined` to go on
 */
export function readCondition(header: HeaderOf, now: Representation): 304 | 412 | undefined {
  const match = header("if-match");
  if (match !== null) {
    if (!listsTag(match, now.etag, "strong")) return 412;
  } else {
    const unmodified = parseDate(header("if-unmodified-since"));
    if (unmodified !== undefined && wholeSeconds(now.modifiedMs) > unmodified) return 412;
  }
  const noneMatch = header("if-none-match");
  if (noneMatch !== null) return listsTag(noneMatch, now.etag, "weak") ? 304 : undefined;
  const modified = parseDate(header("if-modified-since"));
  return modified !== undefined && wholeSeconds(now.modifiedMs) <= modified ? 304 : undefined;
}

/** True if a field of entity tags (or `*`) names `etag`; weak tags never match strongly (RFC 9110 section 8.8.3.2). */
function listsTag(field: string, etag: string, comparison: "strong" | "weak"): boolean {
  if (field.trim() === "*") return true;
  for (const [, weak, tag] of field.matchAll(ENTITY_TAG)) {
    if (tag === etag && (comparison === "weak" || weak === undefined)) return true;
  }
  return false;
}

/** The strong entity tags of a field. */
export function strongTags(field: string): string[] {
  return [...field.matchAll(ENTITY_TAG)].flatMap(([, weak, tag]) =>
    weak === undefined && tag !== undefined ? [tag] : [],
  );
}

/** RFC 9110 section 8.8.3. */
const ENTITY_TAG = /(W\/)?("[\x21\x23-\x7e\x80-\xff]*")/g;

/** A part of a file, bytes, both ends included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * The one range that is asked for (RFC 9110 section 14.1.2).
 *
 * @returns nothing where the whole is to be sent: no range, another unit, a malformed one, several (which a server may
 * ignore, and which cost more than they are worth), or an If-Range that no longer holds
 */
export function rangeOf(
  header: HeaderOf,
  size: number,
  now: Representation,
): ByteRange | "unsatisfiable" | undefined {
  const match = RANGE.exec(header("range") ?? "");
  if (match === null || !isCurrent(header("if-range"), now)) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") {
    if (last === "") return undefined;
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size - 1 };
  }
  const start = Number(first);
  const end = last === "" ? size - 1 : Math.min(Number(last), size - 1);
  if (last !== "" && Number(last) < start) return undefined;
  return start >= size ? "unsatisfiable" : { start, end };
}

const RANGE = /^bytes=(\d{0,16})-(\d{0,16})$/i;

/** RFC 9110 section 13.1.5: by strong tag, or by the very date. */
function isCurrent(ifRange: string | null, now: Representation): boolean {
  if (ifRange === null) return true;
  if (ifRange.startsWith('"')) return ifRange === now.etag;
  return parseDate(ifRange) === wholeSeconds(now.modifiedMs);
}

/** HTTP dates are whole seconds. */
function wholeSeconds(ms: number): number {
  return Math.floor(ms / 1000) * 1000;
}

/** RFC 9110 section 5.6.7: the fixed form; the two old ones are passed over, as an invalid date is. */
function parseDate(field: string | null): number | undefined {
  if (
    field === null ||
    !/^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(field)
  )
    return undefined;
  const ms = Date.parse(field);
  return Number.isNaN(ms) ? undefined : ms;
}
