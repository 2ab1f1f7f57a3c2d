import { describe, expect, test } from "bun:test";
import { Authenticator, digestOf } from "../../src/auth/authenticator.ts";
import { newToken } from "../../src/auth/new-token.ts";
import type { Principal } from "../../src/auth/principal.ts";
import { FakeClock } from "../support/fake-clock.ts";

const TOKEN = "nest_correct-horse-battery-staple-0123456789";
const PHONE = "nest_another-token-for-the-phone-0123456789";

const principal = (name: string, token: string, expiresMs?: number): Principal => ({
  name,
  digest: digestOf(token),
  scopes: new Set(["attach"]),
  ...(expiresMs !== undefined && { expiresMs }),
});
const owner = principal("owner", TOKEN);
const phone = principal("phone", PHONE);
const never = () => 0;

/** An authenticator that has just accepted `TOKEN`, so that it remembers its header. */
function remembering(): Authenticator {
  const authenticator = new Authenticator([owner, phone], never);
  expect(authenticator.authenticateHeader(`Bearer ${TOKEN}`)).toBe(owner);
  return authenticator;
}

const WAYS = [
  { name: "by its digest", make: () => new Authenticator([owner, phone], never) },
  { name: "by the remembered header", make: remembering },
];

describe("Authenticator.authenticateHeader", () => {
  test("tells whose token it is, the first time and after", () => {
    const authenticator = new Authenticator([owner, phone], never);
    for (let n = 0; n < 3; n++) {
      expect(authenticator.authenticateHeader(`Bearer ${TOKEN}`)).toBe(owner);
      expect(authenticator.authenticateHeader(`Bearer ${PHONE}`)).toBe(phone);
      expect(authenticator.authenticateHeader(`Bearer ${PHONE}`)).toBe(phone);
      expect(authenticator.authenticateHeader("Bearer wrong")).toBeUndefined();
    }
  });

  test.each([
    { name: "lower case", header: `bearer ${TOKEN}` },
    { name: "upper case", header: `BEARER ${TOKEN}` },
    { name: "mixed case", header: `bEaReR ${TOKEN}` },
  ])("takes the scheme in any case: $name", ({ header }) => {
    for (const { make } of WAYS) expect(make().authenticateHeader(header)).toBe(owner);
  });

  const malformed = [
    { name: "empty", header: "" },
    { name: "the scheme alone", header: "Bearer" },
    { name: "the scheme and a space", header: "Bearer " },
    { name: "the token alone", header: TOKEN },
    { name: "two spaces", header: `Bearer  ${TOKEN}` },
    { name: "a tab for the space", header: `Bearer\t${TOKEN}` },
    { name: "no space", header: `Bearer${TOKEN}` },
    { name: "a space in front", header: ` Bearer ${TOKEN}` },
    { name: "a space behind", header: `Bearer ${TOKEN} ` },
    { name: "a newline behind", header: `Bearer ${TOKEN}\n` },
    { name: "a NUL behind", header: `Bearer ${TOKEN}\0` },
    { name: "something behind", header: `Bearer ${TOKEN} x` },
    { name: "a comma behind", header: `Bearer ${TOKEN},` },
    { name: "two headers, joined", header: `Bearer ${TOKEN}, Bearer ${TOKEN}` },
    { name: "two headers, the second right", header: `Bearer x, Bearer ${TOKEN}` },
    { name: "quotes", header: `Bearer "${TOKEN}"` },
    { name: "token=", header: `Bearer token=${TOKEN}` },
    { name: "another scheme", header: `Basic ${TOKEN}` },
    { name: "basic credentials", header: `Basic ${btoa(`owner:${TOKEN}`)}` },
    { name: "a scheme that begins like it", header: `Bearers ${TOKEN}` },
    { name: "a full-width scheme", header: `Ｂearer ${TOKEN}` },
    { name: "the token in another case", header: `Bearer ${TOKEN.toUpperCase()}` },
    { name: "the token's digest", header: `Bearer ${owner.digest.toHex()}` },
    { name: "sha256: and the token's digest", header: `Bearer sha256:${owner.digest.toHex()}` },
    { name: "513 characters", header: `Bearer ${"a".repeat(513)}` },
    { name: "8 kB", header: `Bearer ${"a".repeat(8192)}` },
    { name: "a principal's name", header: "Bearer owner" },
    { name: "undefined", header: "Bearer undefined" },
  ];
  for (const { name: way, make } of WAYS) {
    test.each(malformed)(`refuses what is not exactly the header, ${way}: $name`, ({ header }) => {
      expect(make().authenticateHeader(header)).toBeUndefined();
    });
  }

  test("the remembered header does not match what is shorter, longer or differs in any one character", () => {
    const header = `Bearer ${TOKEN}`;
    const authenticator = remembering();
    for (let length = 0; length < header.length; length++) {
      expect(authenticator.authenticateHeader(header.slice(0, length))).toBeUndefined();
      expect(authenticator.authenticateHeader(header.slice(length + 1))).toBeUndefined();
    }
    for (const tail of ["a", "\0", " ", TOKEN, "\0".repeat(128 - header.length), "a".repeat(500)]) {
      expect(authenticator.authenticateHeader(header + tail)).toBeUndefined();
    }
    for (let i = "Bearer ".length; i < header.length; i++) {
      const code = header.charCodeAt(i);
      // 256 and its multiples are what a comparison in bytes would not see.
      for (const other of [
        code ^ 1,
        code ^ 0x20,
        code ^ 0x80,
        code + 256,
        code + 512,
        code + 0xff00,
      ]) {
        const changed = header.slice(0, i) + String.fromCharCode(other) + header.slice(i + 1);
        expect(authenticator.authenticateHeader(changed)).toBeUndefined();
      }
    }
    // All of that did not make it forget.
    expect(authenticator.authenticateHeader(header)).toBe(owner);
  });

  test("a shorter header remembered after a longer one leaves nothing of the longer", () => {
    const long = principal("long", "a".repeat(100));
    const short = principal("short", "a".repeat(50));
    const authenticator = new Authenticator([long, short], never);
    expect(authenticator.authenticateHeader(`Bearer ${"a".repeat(100)}`)).toBe(long);
    expect(authenticator.authenticateHeader(`Bearer ${"a".repeat(50)}`)).toBe(short);
    expect(authenticator.authenticateHeader(`Bearer ${"a".repeat(50)}`)).toBe(short);
    expect(authenticator.authenticateHeader(`Bearer ${"a".repeat(99)}`)).toBeUndefined();
    expect(authenticator.authenticateHeader(`Bearer ${"a".repeat(100)}`)).toBe(long);
  });

  test.each([
    { name: "121 characters: the header is 128 long, the most that is remembered", length: 121 },
    { name: "122 characters", length: 122 },
    { name: "512 characters", length: 512 },
  ])("takes long tokens, whole: $name", ({ length }) => {
    const token = "t".repeat(length);
    const some = principal("long", token);
    const authenticator = new Authenticator([some], never);
    for (let n = 0; n < 2; n++) {
      expect(authenticator.authenticateHeader(`Bearer ${token}`)).toBe(some);
      expect(authenticator.authenticateHeader(`Bearer ${token.slice(1)}`)).toBeUndefined();
      expect(authenticator.authenticateHeader(`Bearer ${token.slice(1)}u`)).toBeUndefined();
      expect(authenticator.authenticateHeader(`Bearer ${token}t`)).toBeUndefined();
    }
  });

  test("an empty header is not the one that is remembered before any was", () => {
    expect(new Authenticator([owner], never).authenticateHeader("")).toBeUndefined();
    expect(new Authenticator([], never).authenticateHeader("\0")).toBeUndefined();
  });
});

describe("Authenticator and time", () => {
  test("refuses a token from its expiry on, the remembered header too", () => {
    const clock = new FakeClock();
    const expiring = principal("phone", PHONE, clock.wallMs() + 1000);
    const authenticator = new Authenticator([owner, expiring], () => clock.wallMs());
    expect(authenticator.authenticateHeader(`Bearer ${PHONE}`)).toBe(expiring);
    clock.advance(999);
    expect(authenticator.authenticateHeader(`Bearer ${PHONE}`)).toBe(expiring);
    expect(authenticator.authenticateToken(PHONE)).toBe(expiring);
    expect(authenticator.renew(expiring)).toBe(expiring);
    clock.advance(1);
    expect(authenticator.authenticateHeader(`Bearer ${PHONE}`)).toBeUndefined();
    expect(authenticator.authenticateToken(PHONE)).toBeUndefined();
    expect(authenticator.renew(expiring)).toBeUndefined();
    expect(authenticator.authenticateHeader(`Bearer ${TOKEN}`)).toBe(owner);
  });
});

describe("Authenticator.setPrincipals", () => {
  test("forgets the remembered header of a token that is gone", () => {
    const authenticator = remembering();
    authenticator.setPrincipals([phone]);
    expect(authenticator.authenticateHeader(`Bearer ${TOKEN}`)).toBeUndefined();
    expect(authenticator.authenticateToken(TOKEN)).toBeUndefined();
    expect(authenticator.authenticateHeader(`Bearer ${PHONE}`)).toBe(phone);
  });

  test("gives a token that stays its new scopes, the remembered header too", () => {
    const authenticator = remembering();
    const less: Principal = { ...owner, scopes: new Set(["prompt"]) };
    authenticator.setPrincipals([less]);
    expect(authenticator.authenticateHeader(`Bearer ${TOKEN}`)).toBe(less);
    expect(authenticator.renew(owner)).toBe(less);
  });

  test("without principals nobody gets in", () => {
    const authenticator = remembering();
    authenticator.setPrincipals([]);
    for (const header of [`Bearer ${TOKEN}`, "", "Bearer ", "Bearer undefined"]) {
      expect(authenticator.authenticateHeader(header)).toBeUndefined();
    }
    expect(authenticator.renew(owner)).toBeUndefined();
  });
});

describe("Authenticator.authenticateToken", () => {
  test.each([
    { name: "empty", token: "" },
    { name: "a prefix", token: TOKEN.slice(0, -1) },
    { name: "more", token: `${TOKEN}x` },
    { name: "the header", token: `Bearer ${TOKEN}` },
    { name: "another case", token: TOKEN.toUpperCase() },
    { name: "a lone surrogate", token: "\ud800" },
    { name: "a megabyte", token: "a".repeat(1 << 20) },
  ])("refuses what is not exactly the token: $name", ({ token }) => {
    expect(new Authenticator([owner, phone], never).authenticateToken(token)).toBeUndefined();
  });

  test("compares with every principal, whichever matches", () => {
    const many = Array.from({ length: 20 }, (_, i) => principal(`p${i}`, `token-${i}`));
    const authenticator = new Authenticator(many, never);
    for (const [i, one] of many.entries()) {
      expect(authenticator.authenticateToken(`token-${i}`)).toBe(one);
    }
  });
});

describe("newToken", () => {
  test("is nest_ and 256 random bits as base64url", () => {
    const tokens = new Set<string>();
    for (let n = 0; n < 1000; n++) {
      const token = newToken();
      expect(token).toMatch(/^nest_[A-Za-z0-9_-]{43}$/);
      expect(Uint8Array.fromBase64(token.slice(5), { alphabet: "base64url" })).toHaveLength(32);
      tokens.add(token);
    }
    expect(tokens.size).toBe(1000);
  });
});

describe("digestOf", () => {
  test("is SHA-256 (FIPS 180-2, appendix B.1)", () => {
    expect(digestOf("abc").toHex()).toBe(
      "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
  });
});
