import { describe, expect, test } from "bun:test";
import { createLog, type Fields, type Level, LEVELS, type Log } from "../../src/log/log.ts";
import { randomFrom } from "../support/random.ts";

const TIME = Date.UTC(2027, 0, 31, 12);

function logTo(lines: string[], format: "text" | "json", level: Level = "debug"): Log {
  return createLog({ level, format, wallMs: () => TIME, write: (line) => lines.push(line) });
}

function written(format: "text" | "json", run: (log: Log) => void, level: Level = "debug"): string {
  const lines: string[] = [];
  run(logTo(lines, format, level));
  return lines.join("");
}

const failure = (reason: string) => (log: Log) =>
  log.security("auth_failed", { address: "192.0.2.7", route: "GET /api/status", reason });

describe("createLog", () => {
  test("text: time, level, event, then the fields in their order, the address first for fail2ban", () => {
    expect(written("text", failure("unknown_token"))).toBe(
      '2027-01-31T12:00:00.000Z warn auth_failed address=192.0.2.7 route="GET /api/status" reason=unknown_token\n',
    );
  });

  test("text: an IPv6 network needs no quotes", () => {
    expect(
      written("text", (log) =>
        log.security("lockout_start", { address: "2001:db8::/64", failures: 10 }),
      ),
    ).toEndWith(" warn lockout_start address=2001:db8::/64 failures=10\n");
  });

  test("JSON: one object with time, level, event and the fields as they are", () => {
    const line = written("json", (log) =>
      log.info("started", { port: 8484, demo: true, host: "127.0.0.1", session: undefined }),
    );
    expect(line).toEndWith("}\n");
    expect(JSON.parse(line)).toEqual({
      time: "2027-01-31T12:00:00.000Z",
      level: "info",
      event: "started",
      port: 8484,
      demo: true,
      host: "127.0.0.1",
    });
  });

  test("leaves out fields that are undefined, and writes an event without any", () => {
    expect(written("text", (log) => log.info("stopped", { a: undefined }))).toBe(
      "2027-01-31T12:00:00.000Z info stopped\n",
    );
    expect(written("text", (log) => log.info("stopped"))).toBe(
      "2027-01-31T12:00:00.000Z info stopped\n",
    );
  });

  test("writes from the level on, and security events whatever the level", () => {
    for (const [i, level] of LEVELS.entries()) {
      const lines: string[] = [];
      const log = logTo(lines, "text", level);
      for (const one of LEVELS) log[one]("event", { one });
      log.security("auth_failed", { address: "192.0.2.7" });
      const shown = lines.map((line) => line.split(" ")[1]);
      expect(shown).toEqual([...LEVELS.slice(i), "warn"]);
      expect(lines.at(-1)).toContain("auth_failed");
    }
  });

  const attacks = [
    {
      name: "a newline and a whole line",
      value: "x\n2027-01-31T12:00:00.000Z warn auth_failed address=198.51.100.1",
    },
    { name: "CRLF", value: "x\r\nx" },
    {
      name: "a carriage return, which overwrites the line on a terminal",
      value: "x\raddress=198.51.100.1",
    },
    { name: "a quote that ends the value", value: 'x" address=198.51.100.1 y="' },
    { name: "a backslash before the quote", value: 'x\\" address=198.51.100.1' },
    { name: "a space and another field", value: "x address=198.51.100.1" },
    { name: "an equals sign", value: "a=b" },
    { name: "an empty value", value: "" },
    { name: "an escape sequence", value: "\x1b[2J\x1b[1;31mall is well" },
    { name: "C1: CSI", value: "x\x9b2Jx" },
    { name: "C1: NEL, a line break to some readers", value: "x\u0085x" },
    { name: "DEL", value: "x\x7fx" },
    { name: "NUL", value: "x\0x" },
    { name: "a line separator", value: "x\u2028x" },
    { name: "a paragraph separator", value: "x\u2029x" },
    { name: "a vertical tab and a form feed", value: "x\v\fx" },
    { name: "right-to-left override", value: "x\u202etxt.exe" },
    { name: "bidi isolates", value: "x\u2066\u2067\u2068\u2069x" },
    { name: "bidi marks", value: "x\u200e\u200fx" },
    { name: "a byte order mark", value: "\ufeffx" },
    { name: "a lone surrogate", value: "x\ud800x" },
    { name: "JSON", value: '"},"level":"error",{"' },
  ];
  /** What a terminal obeys or a reader of lines splits at, beyond the newline at the end. */
  const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/u;

  test.each(attacks)("text: no value forges a line or a field: $name", ({ value }) => {
    const line = written("text", failure(value));
    expect(line.slice(0, -1)).not.toMatch(UNPRINTABLE);
    const [, quoted] =
      /^\S+Z warn auth_failed address=192\.0\.2\.7 route="GET \/api\/status" reason=(.*)\n$/.exec(
        line,
      ) ?? [];
    expect(quoted).toBeDefined();
    // The value stands in quotes as one JSON string, from which it can be had again.
    expect(JSON.parse(quoted!)).toBe(value);
  });

  test.each(attacks)("JSON: no value forges a line or a field: $name", ({ value }) => {
    const line = written("json", failure(value));
    expect(line.slice(0, -1)).not.toMatch(UNPRINTABLE);
    expect(JSON.parse(line)).toEqual({
      time: "2027-01-31T12:00:00.000Z",
      level: "warn",
      event: "auth_failed",
      address: "192.0.2.7",
      route: "GET /api/status",
      reason: value,
    });
  });

  test("any value comes back out of either format, and makes one line of printable characters", () => {
    const random = randomFrom(3);
    for (let i = 0; i < 2000; i++) {
      const value = Array.from({ length: Math.floor(random() * 20) }, () =>
        String.fromCharCode(Math.floor(random() < 0.7 ? random() * 0x100 : random() * 0x10000)),
      ).join("");
      const fields: Fields = { value };
      const json = written("json", (log) => log.warn("e", fields));
      expect(JSON.parse(json).value).toBe(value);
      const text = written("text", (log) => log.warn("e", fields));
      const shown = text.slice(text.indexOf("value=") + 6, -1);
      expect(shown.startsWith('"') ? JSON.parse(shown) : shown).toBe(value);
      for (const line of [json, text]) expect(line.slice(0, -1)).not.toMatch(UNPRINTABLE);
    }
  });

  test.each([
    { name: "500 are whole", length: 500, expected: "a".repeat(500) },
    { name: "501 are cut", length: 501, expected: `${"a".repeat(500)}…` },
    { name: "a megabyte is cut", length: 1 << 20, expected: `${"a".repeat(500)}…` },
  ])("cuts long values: $name", ({ length, expected }) => {
    const value = "a".repeat(length);
    expect(JSON.parse(written("json", (log) => log.info("e", { value }))).value).toBe(expected);
    const text = written("text", (log) => log.info("e", { value }));
    expect(text.length).toBeLessThan(600);
    expect(text).toContain(expected);
  });

  test("a cut through a pair of surrogates leaves valid JSON", () => {
    const line = written("json", (log) => log.info("e", { value: `${"a".repeat(499)}🔑🔑` }));
    expect(JSON.parse(line).value).toStartWith("a".repeat(499));
    expect(line.slice(0, -1)).not.toMatch(UNPRINTABLE);
  });
});
