import { expect, test } from "bun:test";
import { nearest } from "../../src/config/nearest.ts";

const KEYS = ["host", "port", "token", "tokens", "trustedProxies", "hosts", "cors", "rateLimit"];

test.each([
  { name: "adjacent letters swapped", word: "prot", expected: "port" },
  { name: "a letter missing", word: "tken", expected: "token" },
  { name: "a letter too many", word: "portt", expected: "port" },
  { name: "another case", word: "RATELIMIT", expected: "rateLimit" },
  { name: "another style", word: "rate_limit", expected: "rateLimit" },
  { name: "several slips in a long word", word: "trustdProxie", expected: "trustedProxies" },
  { name: "the nearer of two", word: "tokes", expected: "token" },
  { name: "something else altogether", word: "colour", expected: undefined },
  { name: "nothing to choose from", word: "port", candidates: [], expected: undefined },
])("nearest: $name", ({ word, candidates, expected }) => {
  expect(nearest(word, candidates ?? KEYS)).toBe(expected as string);
});
