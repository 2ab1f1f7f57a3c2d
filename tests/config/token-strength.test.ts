import { describe, expect, test } from "bun:test";
import { PLACEHOLDER_TOKEN, tokenWeakness } from "../../src/config/token-strength.ts";
import { newToken } from "../../src/auth/new-token.ts";

describe("tokenWeakness", () => {
  test.each([
    { name: "empty", token: "", says: "found an empty one" },
    { name: "blank", token: "   ", says: "found an empty one" },
    { name: "a tab", token: "\t", says: "found an empty one" },
    { name: "a no-break space", token: "\u00a0", says: "found an empty one" },
    { name: "the example's placeholder", token: PLACEHOLDER_TOKEN, says: "found a placeholder" },
    {
      name: "the placeholder in capitals",
      token: PLACEHOLDER_TOKEN.toUpperCase(),
      says: "found a placeholder",
    },
    { name: "changeme", token: "ChangeMe", says: "found a placeholder" },
    { name: "null", token: "null", says: "found a placeholder" },
    { name: "undefined", token: "undefined", says: "found a placeholder" },
    { name: "password", token: "password", says: "found a placeholder" },
    { name: "a space inside", token: "sixteen characters and a space", says: "printable ASCII" },
    { name: "a newline at the end", token: `${"a".repeat(40)}\n`, says: "printable ASCII" },
    { name: "a NUL", token: `${"a".repeat(40)}\0`, says: "printable ASCII" },
    { name: "a DEL", token: `${"a".repeat(40)}\x7f`, says: "printable ASCII" },
    { name: "an umlaut", token: `${"a".repeat(40)}ä`, says: "printable ASCII" },
    { name: "an emoji", token: `${"a".repeat(40)}🔑`, says: "printable ASCII" },
    { name: "a byte order mark", token: `\ufeff${"a".repeat(40)}`, says: "printable ASCII" },
    { name: "513 characters", token: "a".repeat(513), says: "up to 512" },
  ])("refuses, on loopback as elsewhere: $name", ({ token, says }) => {
    for (const onLoopback of [true, false]) {
      const weakness = tokenWeakness(token, onLoopback);
      expect(weakness?.refused).toBe(true);
      expect(weakness?.message).toContain(says);
      expect(weakness?.message).toContain("`nest token` prints a good one");
    }
  });

  test.each([
    { length: 3, elsewhere: "refused", onLoopback: "refused" },
    { length: 4, elsewhere: "refused", onLoopback: "warned" },
    { length: 15, elsewhere: "refused", onLoopback: "warned" },
    { length: 16, elsewhere: "warned", onLoopback: "warned" },
    { length: 31, elsewhere: "warned", onLoopback: "warned" },
    { length: 32, elsewhere: "good", onLoopback: "good" },
    { length: 512, elsewhere: "good", onLoopback: "good" },
  ])("holds $length characters to be $elsewhere elsewhere and $onLoopback on loopback", (row) => {
    const verdict = (onLoopback: boolean) => {
      const weakness = tokenWeakness("~".repeat(row.length), onLoopback);
      return weakness === undefined ? "good" : weakness.refused ? "refused" : "warned";
    };
    expect(verdict(false)).toBe(row.elsewhere);
    expect(verdict(true)).toBe(row.onLoopback);
  });

  test("never repeats the token", () => {
    for (const token of ["hunter2", "hunter2hunter2hunter2", "hünter2", "h unter2"]) {
      expect(tokenWeakness(token, false)?.message).not.toContain(token);
    }
  });

  test("finds nothing wrong with what newToken makes", () => {
    expect(tokenWeakness(newToken(), false)).toBeUndefined();
  });
});
