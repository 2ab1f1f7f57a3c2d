import { describe, expect, test } from "bun:test";
import { parseAuthFrame, parseCommandFrame } from "../../src/attach/frames.ts";
import { LIMITS } from "../../src/attach/protocol.ts";

describe("parseAuthFrame", () => {
  test("takes the token of an auth frame", () => {
    expect(parseAuthFrame('{"type":"auth","token":"nest_x"}')).toBe("nest_x");
    expect(parseAuthFrame(' {"token": "nest_x", "type": "auth"} ')).toBe("nest_x");
    expect(parseAuthFrame('{"type":"auth","token":""}')).toBe("");
  });

  test.each([
    { name: "an empty frame", frame: "" },
    { name: "the token alone", frame: "nest_x" },
    { name: "the token as JSON", frame: '"nest_x"' },
    { name: "Bearer", frame: "Bearer nest_x" },
    { name: "a list", frame: '["auth","nest_x"]' },
    { name: "an object in a list", frame: '[{"type":"auth","token":"nest_x"}]' },
    { name: "null", frame: "null" },
    { name: "another type", frame: '{"type":"prompt","token":"nest_x"}' },
    { name: "another case", frame: '{"type":"AUTH","token":"nest_x"}' },
    { name: "no type", frame: '{"token":"nest_x"}' },
    { name: "the type by inheritance", frame: '{"__proto__":{"type":"auth","token":"nest_x"}}' },
    { name: "no token", frame: '{"type":"auth"}' },
    { name: "a token that is a number", frame: '{"type":"auth","token":1}' },
    { name: "a token that is null", frame: '{"type":"auth","token":null}' },
    { name: "a token in a list", frame: '{"type":"auth","token":["nest_x"]}' },
    { name: "a token in an object", frame: '{"type":"auth","token":{"toString":"nest_x"}}' },
    { name: "two objects", frame: '{"type":"auth","token":"nest_x"}{"type":"abort"}' },
    { name: "single quotes", frame: "{'type':'auth','token':'nest_x'}" },
    { name: "a comma at the end", frame: '{"type":"auth","token":"nest_x",}' },
    { name: "a byte order mark", frame: '\ufeff{"type":"auth","token":"nest_x"}' },
    { name: "binary", frame: Buffer.from('{"type":"auth","token":"nest_x"}') },
    { name: "nested without end", frame: "[".repeat(4096) },
  ])("takes no token from $name", ({ frame }) => {
    expect(parseAuthFrame(frame)).toBeUndefined();
  });

  test("takes 4,096 bytes of UTF-8 and no more", () => {
    const frame = (token: string) => JSON.stringify({ type: "auth", token });
    const room = LIMITS.maxAuthFrameBytes - frame("").length;
    expect(parseAuthFrame(frame("a".repeat(room)))).toHaveLength(room);
    expect(parseAuthFrame(frame("a".repeat(room + 1)))).toBeUndefined();
    // Half as many characters of two bytes each fit.
    expect(parseAuthFrame(frame("é".repeat(room / 2)))).toHaveLength(Math.floor(room / 2));
    expect(parseAuthFrame(frame("é".repeat(room / 2 + 1)))).toBeUndefined();
  });
});

describe("parseCommandFrame", () => {
  test.each([
    {
      name: "no id",
      frame: '{"type":"abort"}',
      expected: { type: "abort", id: undefined, fields: { type: "abort" } },
    },
    {
      name: "an id that is a string",
      frame: '{"type":"abort","id":"a"}',
      expected: { type: "abort", id: "a", fields: { type: "abort", id: "a" } },
    },
    {
      name: "an empty id",
      frame: '{"type":"abort","id":""}',
      expected: { type: "abort", id: "", fields: { type: "abort", id: "" } },
    },
    {
      name: "an id that is a number",
      frame: '{"type":"abort","id":0}',
      expected: { type: "abort", id: 0, fields: { type: "abort", id: 0 } },
    },
    {
      name: "fields",
      frame: '{"type":"prompt","message":"hi"}',
      expected: { type: "prompt", id: undefined, fields: { type: "prompt", message: "hi" } },
    },
    {
      name: "a type that nobody knows",
      frame: '{"type":"x"}',
      expected: { type: "x", id: undefined, fields: { type: "x" } },
    },
  ])("takes a command with $name", ({ frame, expected }) => {
    expect(parseCommandFrame(frame) as unknown).toEqual(expected);
  });

  test.each([
    { name: "an empty frame", frame: "" },
    { name: "no JSON", frame: "hello" },
    { name: "null, of which pi dies", frame: "null" },
    { name: "a number", frame: "1" },
    { name: "a string", frame: '"abort"' },
    { name: "a list", frame: '[{"type":"abort"}]' },
    { name: "an empty object", frame: "{}" },
    { name: "a type that is null", frame: '{"type":null}' },
    { name: "a type that is a number", frame: '{"type":1}' },
    { name: "a type in a list", frame: '{"type":["abort"]}' },
    { name: "an id that is null", frame: '{"type":"abort","id":null}' },
    { name: "an id that is a boolean", frame: '{"type":"abort","id":true}' },
    { name: "an id that is an object", frame: '{"type":"abort","id":{}}' },
    { name: "an id that is a list", frame: '{"type":"abort","id":[1]}' },
    { name: "an id beyond all numbers", frame: '{"type":"abort","id":1e999}' },
    { name: "an id of 129", frame: JSON.stringify({ type: "abort", id: "i".repeat(129) }) },
    { name: "two lines", frame: '{"type":"abort"}\n{"type":"abort"}' },
    { name: "the type by inheritance", frame: '{"__proto__":{"type":"abort"}}' },
    { name: "binary", frame: Buffer.from('{"type":"abort"}') },
    { name: "nested without end", frame: `{"type":"abort","x":${"[".repeat(500_000)}` },
  ])("takes no command from $name", ({ frame }) => {
    expect(parseCommandFrame(frame)).toBeUndefined();
  });

  test("keeps an id of 128, and cuts a type that it will be repeated by", () => {
    const id = "i".repeat(128);
    expect(parseCommandFrame(JSON.stringify({ type: "abort", id }))?.id).toBe(id);
    expect(parseCommandFrame(JSON.stringify({ type: "t".repeat(1000) }))?.type).toBe(
      "t".repeat(64),
    );
  });
});
