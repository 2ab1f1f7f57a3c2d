import { describe, expect, test } from "bun:test";
import { PayloadError, parsePayload } from "../../src/webhook/payload.ts";
import { parseTemplate, render, TemplateError } from "../../src/webhook/template.ts";

const fill = (template: string, json: string) =>
  render(parseTemplate(template), parsePayload(new TextEncoder().encode(json)));

describe("render", () => {
  test.each([
    { name: "a field", template: "{{action}}!", json: '{"action":"opened"}', text: "opened!" },
    { name: "a path", template: "{{a.b.c}}", json: '{"a":{"b":{"c":7}}}', text: "7" },
    { name: "spaces", template: "{{ a . b }}", json: "{}", text: undefined },
    { name: "spaces around", template: "{{ a.b }}", json: '{"a":{"b":true}}', text: "true" },
    { name: "a place in a list", template: "{{a.1.x}}", json: '{"a":[{},{"x":"y"}]}', text: "y" },
    { name: "a mapping", template: "{{a}}", json: '{"a":{"b":[1]}}', text: '{"b":[1]}' },
    { name: "missing and null", template: "[{{a}}{{b.c}}{{n}}]", json: '{"n":null}', text: "[]" },
    { name: "a payload that is a list", template: "{{0}}", json: '["x"]', text: "x" },
    { name: "a payload that is no mapping", template: "[{{a}}]", json: '"text"', text: "[]" },
    { name: "no places", template: "Wake up", json: "{}", text: "Wake up" },
    { name: "braces alone", template: "a } b {c} }}", json: "{}", text: "a } b {c} }}" },
  ])("$name", ({ template, json, text }) => {
    if (text === undefined) expect(() => parseTemplate(template)).toThrow(TemplateError);
    else expect(fill(template, json)).toBe(text);
  });

  // Beside each: what a careless renderer makes of it.
  test.each([
    {
      name: "a place in a value (expanded again: the secret)",
      json: '{"a":"{{b}}","b":"secret"}',
      text: "<{{b}}|secret>",
    },
    {
      name: "a place put together by two values",
      json: '{"a":"{{","b":"c}}","c":"secret"}',
      text: "<{{|c}}>",
    },
    {
      name: "patterns of String.replace (the template's own text)",
      json: '{"a":"$&$`$\'$1$$","b":""}',
      text: "<$&$`$'$1$$|>",
    },
    {
      name: "code of other template languages",
      json: '{"a":"${process.env}#{1+1}<%= x %>{% raw %}","b":""}',
      text: "<${process.env}#{1+1}<%= x %>{% raw %}|>",
    },
    {
      name: "an escape of a terminal (obeyed)",
      json: '{"a":"\\u001b[2J\\u009b1m","b":""}',
      text: "<\\u{1b}[2J\\u{9b}1m|>",
    },
    {
      name: "direction marks (read otherwise than shown)",
      json: '{"a":"\\u202e\\u2066","b":"\\u200b\\ufeff"}',
      text: "<\\u{202e}\\u{2066}|\\u{200b}\\u{feff}>",
    },
    {
      name: "tag characters (invisible, but models read them)",
      json: '{"a":"\\udb40\\udc41","b":""}',
      text: "<\\u{e0041}|>",
    },
    { name: "NUL and half a pair", json: '{"a":"\\u0000","b":"\\ud800"}', text: "<\\u{0}|\ufffd>" },
    {
      name: "other line ends",
      json: '{"a":"1\\r\\n2\\r3","b":"\\u2028"}',
      text: "<1\n2\n3|\\u{2028}>",
    },
  ])("a value is text: $name", ({ json, text }) => {
    expect(fill("<{{a}}|{{b}}>", json)).toBe(text);
  });

  test("names of the prototype find what the payload says under them, and nothing else", () => {
    const names = [
      "__proto__",
      "constructor",
      "constructor.name",
      "toString",
      "hasOwnProperty",
      "length",
      "a.length",
      "a.constructor",
      "l.length",
      "l.at",
      "__proto__.polluted",
    ];
    for (const name of names)
      expect([name, fill(`[{{${name}}}]`, '{"a":"text","l":[1,2]}')]).toEqual([name, "[]"]);
    expect(
      fill("{{__proto__.x}} {{constructor}}", '{"__proto__":{"x":1},"constructor":"mine"}'),
    ).toBe("1 mine");
    expect(({} as { x?: number }).x).toBeUndefined();
  });

  test("sizes are bounded, of a value and of the whole", () => {
    const payload = { a: "x".repeat(100_000) };
    expect(render(parseTemplate("{{a}}"), payload).length).toBeLessThan(8100);
    expect(render(parseTemplate("{{a}}".repeat(100)), payload).length).toBeLessThan(32_100);
    expect(render(parseTemplate("{{a}}"), payload)).toEndWith("… (92000 more characters cut)");
  });
});

test.each([
  "{{}}",
  "{{a..b}}",
  "{{a b}}",
  "{{a[0]}}",
  "{{a|upper}}",
  "{{#if a}}",
  "{{{a}}}",
  "{{a",
  "x {{ y",
  `{{${"a.".repeat(20)}a}}`,
  "{{constructor()}}",
])("parseTemplate: %s is refused", (template) => {
  expect(() => parseTemplate(template)).toThrow(TemplateError);
});

describe("parsePayload", () => {
  const parse = (text: string) => parsePayload(new TextEncoder().encode(text));

  test("10,000 deep is refused before it is parsed, in every form", () => {
    for (const bomb of [
      "[".repeat(10_000) + "]".repeat(10_000),
      '{"a":'.repeat(10_000) + "1" + "}".repeat(10_000),
      "[".repeat(200_000),
    ]) {
      expect(() => parse(bomb)).toThrow(new PayloadError("Expected JSON nested at most 64 deep"));
    }
    expect(parse(`${"[".repeat(64)}${"]".repeat(64)}`)).toBeDefined();
    expect(() => parse(`${"[".repeat(65)}${"]".repeat(65)}`)).toThrow(PayloadError);
  });

  test("brackets in strings are no nesting", () => {
    const text = `${"[{".repeat(100)}\\"[[`;
    expect(parse(`{"a":"${text}"}`)).toEqual({ a: text.replace('\\"', '"') });
    expect(parse('["\\\\",[1]]')).toEqual(["\\", [1]]);
  });

  test.each(["", "{", "undefined", "{'a':1}", "[1,]", "NaN"])("%p is no JSON", (text) => {
    expect(() => parse(text)).toThrow(PayloadError);
  });

  test("bytes that are no UTF-8 are refused, not replaced", () => {
    expect(() => parsePayload(new Uint8Array([0x22, 0xff, 0x22]))).toThrow("UTF-8");
  });

  test("__proto__ is data", () => {
    const payload = parse('{"__proto__":{"polluted":1}}') as object;
    expect(Object.getPrototypeOf(payload)).toBe(Object.prototype);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
