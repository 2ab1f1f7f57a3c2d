import { BlockList, isIP } from "node:net";
import { describe, expect, test } from "bun:test";
import {
  formatIpAddress,
  isInside,
  isLoopback,
  networkOf,
  parseIpAddress,
  parseIpPrefix,
} from "../../src/limit/ip-address.ts";
import { randomFrom } from "../support/random.ts";

const canonical = (text: string): string | undefined => {
  const address = parseIpAddress(text);
  return address && formatIpAddress(address);
};

describe("parseIpAddress", () => {
  test.each([
    { name: "a dotted quad", text: "192.0.2.7", expected: "192.0.2.7" },
    { name: "the least", text: "0.0.0.0", expected: "0.0.0.0" },
    { name: "the greatest", text: "255.255.255.255", expected: "255.255.255.255" },
    { name: "all zeros", text: "::", expected: "::" },
    { name: "loopback", text: "::1", expected: "::1" },
    { name: "in full", text: "2001:0DB8:0000:0000:0000:0000:0000:0001", expected: "2001:db8::1" },
    {
      name: "one zero group is not shortened",
      text: "1:0:2:3:4:5:6:7",
      expected: "1:0:2:3:4:5:6:7",
    },
    {
      name: "the first of the longest runs is shortened",
      text: "1:0:0:2:0:0:3:4",
      expected: "1::2:0:0:3:4",
    },
    { name: "zeros at the end", text: "1::", expected: "1::" },
    { name: ":: for a single group", text: "1:2:3::5:6:7:8", expected: "1:2:3:0:5:6:7:8" },
    { name: "a quad at the end", text: "64:ff9b::192.0.2.33", expected: "64:ff9b::c000:221" },
    { name: "IPv4-mapped is IPv4", text: "::ffff:192.0.2.7", expected: "192.0.2.7" },
    { name: "IPv4-mapped in capitals", text: "::FFFF:192.0.2.7", expected: "192.0.2.7" },
    { name: "IPv4-mapped in hexadecimal", text: "::ffff:c000:207", expected: "192.0.2.7" },
    { name: "IPv4-mapped in full", text: "0:0:0:0:0:ffff:c000:0207", expected: "192.0.2.7" },
    { name: "IPv4-compatible is not IPv4-mapped", text: "::192.0.2.7", expected: "::c000:207" },
    { name: "a zone is dropped", text: "fe80::1%eth0", expected: "fe80::1" },
    {
      name: "a zone of a mapped address is dropped",
      text: "::ffff:192.0.2.7%2",
      expected: "192.0.2.7",
    },
  ])("reads $name", ({ text, expected }) => {
    expect(canonical(text)).toBe(expected);
  });

  test.each([
    { name: "an empty string", text: "" },
    { name: "a name", text: "localhost" },
    { name: "unknown", text: "unknown" },
    { name: "three octets", text: "127.0.1" },
    { name: "two octets", text: "127.1" },
    { name: "one number", text: "2130706433" },
    { name: "hexadecimal", text: "0x7f.0.0.1" },
    { name: "octal", text: "0177.0.0.1" },
    { name: "a zero in front", text: "127.0.0.01" },
    { name: "an octet of 256", text: "127.0.0.256" },
    { name: "five octets", text: "1.2.3.4.5" },
    { name: "a dot at the end", text: "127.0.0.1." },
    { name: "a space", text: " 127.0.0.1" },
    { name: "a newline at the end", text: "127.0.0.1\n" },
    { name: "a port", text: "127.0.0.1:80" },
    { name: "a zone on IPv4", text: "127.0.0.1%lo" },
    { name: "a length", text: "10.0.0.0/8" },
    { name: "brackets", text: "[::1]" },
    { name: "a colon", text: ":" },
    { name: "three colons", text: ":::" },
    { name: ":: twice", text: "1::2::3" },
    { name: "a colon in front", text: ":1:2:3:4:5:6:7" },
    { name: "a colon at the end", text: "1:2:3:4:5:6:7:" },
    { name: "seven groups", text: "1:2:3:4:5:6:7" },
    { name: "nine groups", text: "1:2:3:4:5:6:7:8:9" },
    { name: "eight groups and ::", text: "1:2:3:4::5:6:7:8" },
    { name: "five digits in a group", text: "12345::" },
    { name: "no hexadecimal digit", text: "::g" },
    { name: "a sign", text: "::-1" },
    { name: "a quad in the middle", text: "::1.2.3.4:5" },
    { name: "a quad before ::", text: "1.2.3.4::" },
    { name: "a quad with a zero in front", text: "::ffff:127.0.0.01" },
    { name: "other digits (fullwidth)", text: "１２７.0.0.1" },
    { name: "a NUL", text: "127.0.0.1\0" },
    { name: "8 kB of colons", text: ":".repeat(8192) },
    { name: "8 kB of groups", text: "1:".repeat(4096) },
  ])("refuses $name", ({ text }) => {
    expect(parseIpAddress(text)).toBeUndefined();
  });

  test("agrees with node:net on what is an address, over generated and damaged ones", () => {
    const random = randomFrom(42);
    let addresses = 0;
    for (let i = 0; i < 20_000; i++) {
      const text = random() < 0.5 ? damaged(anyAddress(random), random) : anyAddress(random);
      // A zone has its own rows above: node:net knows fewer.
      if (text.includes("%")) continue;
      const family = isIP(text);
      if (family !== 0) addresses++;
      const parsed = parseIpAddress(text);
      expect({ text, isAddress: parsed !== undefined }).toEqual({ text, isAddress: family !== 0 });
      if (family === 4) expect(parsed?.family).toBe(4);
    }
    expect(addresses).toBeGreaterThan(8000);
  });

  test("agrees with the URL parser on the canonical text of IPv6", () => {
    const random = randomFrom(43);
    for (let i = 0; i < 5000; i++) {
      const text = anyIpv6(random);
      const parsed = parseIpAddress(text);
      // A mapped address is IPv4 to us; and this URL parser refuses some quads behind `::` that are right.
      if (parsed === undefined || parsed.family === 4 || text.includes(".")) continue;
      expect({ text, canonical: `[${formatIpAddress(parsed)}]` }).toEqual({
        text,
        canonical: URL.parse(`http://[${text}]/`)?.hostname as string,
      });
    }
  });

  test("reads back what formatIpAddress writes", () => {
    const random = randomFrom(44);
    for (let i = 0; i < 5000; i++) {
      const parsed = parseIpAddress(anyAddress(random));
      if (parsed) expect(parseIpAddress(formatIpAddress(parsed))).toEqual(parsed);
    }
  });
});

describe("isInside", () => {
  test("agrees with node:net's BlockList over generated blocks and addresses", () => {
    const random = randomFrom(45);
    let inside = 0;
    for (let i = 0; i < 3000; i++) {
      const isV4 = random() < 0.5;
      const base = isV4 ? anyIpv4(random) : anyIpv6(random);
      const parsed = parseIpAddress(base);
      if (parsed === undefined || (!isV4 && parsed.family === 4)) continue;
      const bits = isV4 ? 32 : 128;
      const length = Math.floor(random() * (bits + 1));
      // Half of the addresses are near: one bit of the base is turned.
      const flip = 1n << BigInt(Math.floor(random() * bits));
      const address = random() < 0.7 ? { ...parsed, value: parsed.value ^ flip } : parsed;
      const text = formatIpAddress(address);
      if (!isV4 && parseIpAddress(text)?.family === 4) continue;
      const prefix = parseIpPrefix(`${base}/${length}`);
      const list = new BlockList();
      list.addSubnet(formatIpAddress(parsed), length, isV4 ? "ipv4" : "ipv6");
      const expected = list.check(text, isV4 ? "ipv4" : "ipv6");
      expect({ base, length, text, inside: prefix && isInside(address, prefix) }).toEqual({
        base,
        length,
        text,
        inside: expected,
      });
      if (expected) inside++;
    }
    expect(inside).toBeGreaterThan(500);
  });

  test("keeps the families apart: 0.0.0.0/0 holds no IPv6 and ::/0 no IPv4", () => {
    const v4 = parseIpPrefix("0.0.0.0/0")!;
    const v6 = parseIpPrefix("::/0")!;
    expect(isInside(parseIpAddress("192.0.2.7")!, v4)).toBe(true);
    expect(isInside(parseIpAddress("::ffff:192.0.2.7")!, v4)).toBe(true);
    expect(isInside(parseIpAddress("2001:db8::1")!, v4)).toBe(false);
    expect(isInside(parseIpAddress("2001:db8::1")!, v6)).toBe(true);
    expect(isInside(parseIpAddress("192.0.2.7")!, v6)).toBe(false);
  });
});

describe("isLoopback", () => {
  test.each([
    { name: "127.0.0.1", text: "127.0.0.1", expected: true },
    { name: "all of 127/8", text: "127.255.255.254", expected: true },
    { name: "::1", text: "::1", expected: true },
    { name: "127.0.0.1, mapped", text: "::ffff:127.0.0.1", expected: true },
    { name: "0.0.0.0", text: "0.0.0.0", expected: false },
    { name: "::", text: "::", expected: false },
    { name: "126.255.255.255", text: "126.255.255.255", expected: false },
    { name: "128.0.0.0", text: "128.0.0.0", expected: false },
    { name: "::127.0.0.1", text: "::127.0.0.1", expected: false },
    { name: "::2", text: "::2", expected: false },
  ])("$name: $expected", ({ text, expected }) => {
    expect(isLoopback(parseIpAddress(text)!)).toBe(expected);
  });
});

describe("networkOf", () => {
  test.each([
    { name: "a /64", text: "2001:db8:1:2:3:4:5:6", length: 64, expected: "2001:db8:1:2::" },
    { name: "a /56", text: "2001:db8:1:2ff:3::", length: 56, expected: "2001:db8:1:200::" },
    { name: "a /128", text: "2001:db8::1", length: 128, expected: "2001:db8::1" },
    { name: "a /1", text: "ffff::", length: 1, expected: "8000::" },
    { name: "an IPv4 /24", text: "192.0.2.7", length: 24, expected: "192.0.2.0" },
  ])("$name", ({ text, length, expected }) => {
    expect(formatIpAddress(networkOf(parseIpAddress(text)!, length))).toBe(expected);
  });
});

type Random = () => number;

const anyIpv4 = (random: Random) =>
  Array.from({ length: 4 }, () => Math.floor(random() * 256)).join(".");

/** Many zeros and `ffff`, so that `::` and mapped addresses come up. */
function anyIpv6(random: Random): string {
  const words = Array.from({ length: 8 }, () => {
    const pick = random();
    if (pick < 0.5) return "0";
    if (pick < 0.6) return "ffff";
    const word = Math.floor(random() * 65_536).toString(16);
    return random() < 0.3 ? word.padStart(4, "0").toUpperCase() : word;
  });
  if (random() < 0.3) words.splice(6, 2, anyIpv4(random));
  if (random() < 0.6) {
    const from = Math.floor(random() * words.length);
    const to = from + 1 + Math.floor(random() * (words.length - from));
    const head = words.slice(0, from);
    // A quad can only stand at the end; it is never cut away by half.
    return `${head.join(":")}::${words.slice(to).join(":")}`;
  }
  return words.join(":");
}

function anyAddress(random: Random): string {
  const pick = random();
  if (pick < 0.4) return anyIpv4(random);
  if (pick < 0.5) return `::ffff:${anyIpv4(random)}`;
  return anyIpv6(random);
}

/** One character taken out, put in or exchanged. */
function damaged(text: string, random: Random): string {
  const at = Math.floor(random() * (text.length + 1));
  const characters = "0123456789abcfgF:.::..0/-+ x";
  const character = characters[Math.floor(random() * characters.length)];
  const pick = random();
  if (pick < 0.33) return text.slice(0, at) + text.slice(at + 1);
  return text.slice(0, at) + character + text.slice(pick < 0.66 ? at : at + 1);
}
