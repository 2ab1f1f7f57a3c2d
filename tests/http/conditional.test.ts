import { describe, expect, test } from "bun:test";
import { rangeOf, readCondition } from "../../src/http/conditional.ts";

const now = { etag: '"abc"', modifiedMs: Date.UTC(2026, 0, 2, 3, 4, 5, 678) };
const SAME = "Fri, 02 Jan 2026 03:04:05 GMT";
const BEFORE = "Fri, 02 Jan 2026 03:04:04 GMT";
const headers = (fields: Record<string, string>) => {
  const all = new Headers(fields);
  return (name: string) => all.get(name);
};

describe("readCondition", () => {
  test.each([
    { name: "no condition", fields: {}, expected: undefined },
    { name: "the tag", fields: { "If-None-Match": '"abc"' }, expected: 304 },
    { name: "the tag, weak", fields: { "If-None-Match": 'W/"abc"' }, expected: 304 },
    { name: "one of several", fields: { "If-None-Match": '"x", "abc" ,"y"' }, expected: 304 },
    { name: "any", fields: { "If-None-Match": "*" }, expected: 304 },
    { name: "another tag", fields: { "If-None-Match": '"abcd"' }, expected: undefined },
    { name: "no quotes", fields: { "If-None-Match": "abc" }, expected: undefined },
    { name: "not modified since", fields: { "If-Modified-Since": SAME }, expected: 304 },
    { name: "modified since", fields: { "If-Modified-Since": BEFORE }, expected: undefined },
    { name: "junk for a date", fields: { "If-Modified-Since": "yesterday" }, expected: undefined },
    {
      name: "a tag goes before a date",
      fields: { "If-None-Match": '"x"', "If-Modified-Since": SAME },
      expected: undefined,
    },
    { name: "If-Match holds", fields: { "If-Match": '"x", "abc"' }, expected: undefined },
    { name: "If-Match, any", fields: { "If-Match": "*" }, expected: undefined },
    { name: "If-Match fails", fields: { "If-Match": '"x"' }, expected: 412 },
    { name: "If-Match is strong", fields: { "If-Match": 'W/"abc"' }, expected: 412 },
    { name: "If-Unmodified-Since holds", fields: { "If-Unmodified-Since": SAME } },
    { name: "If-Unmodified-Since fails", fields: { "If-Unmodified-Since": BEFORE }, expected: 412 },
  ])("$name", ({ fields, expected }) => {
    expect(readCondition(headers(fields as Record<string, string>), now)).toBe(expected as never);
  });
});

describe("rangeOf", () => {
  test.each([
    { name: "none", range: "", expected: undefined },
    { name: "from a place on", range: "bytes=4-", expected: { start: 4, end: 9 } },
    { name: "a part", range: "bytes=0-3", expected: { start: 0, end: 3 } },
    { name: "one byte", range: "bytes=9-9", expected: { start: 9, end: 9 } },
    { name: "more than there is", range: "bytes=8-99", expected: { start: 8, end: 9 } },
    { name: "the last ones", range: "bytes=-3", expected: { start: 7, end: 9 } },
    { name: "the last, more than there are", range: "bytes=-99", expected: { start: 0, end: 9 } },
    { name: "the last none", range: "bytes=-0", expected: "unsatisfiable" },
    { name: "behind the end", range: "bytes=10-", expected: "unsatisfiable" },
    { name: "backwards", range: "bytes=5-4", expected: undefined },
    { name: "several", range: "bytes=0-1,4-5", expected: undefined },
    { name: "another unit", range: "lines=0-1", expected: undefined },
    { name: "nothing at all", range: "bytes=-", expected: undefined },
    { name: "too many digits", range: "bytes=99999999999999999-", expected: undefined },
    { name: "a sign", range: "bytes=+1-", expected: undefined },
  ])("$name", ({ range, expected }) => {
    expect(rangeOf(headers({ Range: range }), 10, now)).toEqual(expected as never);
  });

  test("an empty file has no part", () => {
    expect(rangeOf(headers({ Range: "bytes=0-" }), 0, now)).toBe("unsatisfiable");
  });

  test.each([
    { name: "its tag", ifRange: '"abc"', isPart: true },
    { name: "another tag", ifRange: '"x"', isPart: false },
    { name: "its tag, weak", ifRange: 'W/"abc"', isPart: false },
    { name: "its date", ifRange: SAME, isPart: true },
    { name: "an earlier date", ifRange: BEFORE, isPart: false },
    { name: "junk", ifRange: "junk", isPart: false },
  ])("If-Range with $name", ({ ifRange, isPart }) => {
    const range = rangeOf(headers({ Range: "bytes=0-1", "If-Range": ifRange }), 10, now);
    expect(range !== undefined).toBe(isPart);
  });
});
