import { describe, expect, test } from "bun:test";
import { ClientAddresses, UNKNOWN_ADDRESS } from "../../src/limit/client-address.ts";
import { parseIpPrefix } from "../../src/limit/ip-address.ts";

const PROXY = "172.30.0.2";
const trustedProxies = ["172.30.0.0/24", "10.0.0.0/8", "fd00::/8"].map((text) =>
  parseIpPrefix(text)!,
);
const addresses = new ClientAddresses({ trustedProxies, ipv6Prefix: 64 });

const forwarded = (...values: string[]) => {
  const headers = new Headers();
  for (const value of values) headers.append("X-Forwarded-For", value);
  return headers;
};
const keyOf = (peer: string | undefined, headers = new Headers()) =>
  addresses.of(peer, headers).key;

describe("ClientAddresses", () => {
  test.each([
    { name: "an IPv4 peer is itself", peer: "192.0.2.7", expected: "192.0.2.7" },
    {
      name: "an IPv4 peer of a dual-stack socket is the same",
      peer: "::ffff:192.0.2.7",
      expected: "192.0.2.7",
    },
    { name: "… in hexadecimal too", peer: "::ffff:c000:207", expected: "192.0.2.7" },
    {
      name: "an IPv6 peer counts by its /64",
      peer: "2001:db8:1:2:3:4:5:6",
      expected: "2001:db8:1:2::/64",
    },
    {
      name: "another host of the /64 is the same",
      peer: "2001:db8:1:2:ffff::1",
      expected: "2001:db8:1:2::/64",
    },
    { name: "another /64 is another", peer: "2001:db8:1:3::1", expected: "2001:db8:1:3::/64" },
    { name: "a zone does not matter", peer: "fe80::1%eth0", expected: "fe80::/64" },
    { name: "loopback", peer: "::1", expected: "::/64" },
    { name: "a peer that has gone is unknown", peer: undefined, expected: UNKNOWN_ADDRESS },
    {
      name: "a peer that is no address is unknown",
      peer: "/run/nest.sock",
      expected: UNKNOWN_ADDRESS,
    },
    { name: "an empty peer is unknown", peer: "", expected: UNKNOWN_ADDRESS },
  ])("$name", ({ peer, expected }) => {
    // Twice: the second answer is a remembered one.
    for (let n = 0; n < 2; n++)
      expect(addresses.of(peer, new Headers())).toEqual({ key: expected, viaProxy: false });
  });

  test("counts IPv6 by as many bits as it is told", () => {
    for (const [ipv6Prefix, key] of [
      [128, "2001:db8:1:2:3:4:5:6/128"],
      [56, "2001:db8:1::/56"],
      [48, "2001:db8:1::/48"],
    ] as const) {
      const some = new ClientAddresses({ trustedProxies: [], ipv6Prefix });
      expect(some.of("2001:db8:1:2:3:4:5:6", new Headers()).key).toBe(key);
    }
  });

  test("ignores every header of a peer that is no trusted proxy", () => {
    const headers = new Headers({
      "X-Forwarded-For": "198.51.100.1",
      Forwarded: "for=198.51.100.2",
      "X-Real-IP": "198.51.100.3",
      "CF-Connecting-IP": "198.51.100.4",
      "True-Client-IP": "198.51.100.5",
    });
    for (const peer of [
      "192.0.2.7",
      "127.0.0.1",
      "::1",
      "172.30.1.2",
      "9.255.255.255",
      "11.0.0.0",
    ]) {
      expect(addresses.of(peer, headers)).toEqual(addresses.of(peer, new Headers()));
      expect(addresses.of(peer, headers).viaProxy).toBe(false);
    }
  });

  test("reads no other header from a trusted proxy either", () => {
    const headers = new Headers({
      Forwarded: "for=198.51.100.2",
      "X-Real-IP": "198.51.100.3",
      "X-Client-IP": "198.51.100.4",
      "CF-Connecting-IP": "198.51.100.5",
      "X-Original-Forwarded-For": "198.51.100.6",
    });
    expect(addresses.of(PROXY, headers)).toEqual({ key: PROXY, viaProxy: true });
  });

  test.each([
    { name: "one address", header: "198.51.100.1", expected: "198.51.100.1" },
    {
      name: "the rightmost counts: the left ones are the client's own words",
      header: "203.0.113.9, 198.51.100.1",
      expected: "198.51.100.1",
    },
    {
      name: "trusted proxies are passed over, from the right",
      header: "203.0.113.9, 198.51.100.1, 10.1.2.3, fd00::1",
      expected: "198.51.100.1",
    },
    {
      name: "a trusted address left of a client's is not looked at",
      header: "10.9.9.9, 198.51.100.1",
      expected: "198.51.100.1",
    },
    {
      name: "a chain of nothing but proxies is its leftmost",
      header: "10.1.1.1, 10.2.2.2, 172.30.0.3",
      expected: "10.1.1.1",
    },
    {
      name: "no space after the comma",
      header: "203.0.113.9,198.51.100.1",
      expected: "198.51.100.1",
    },
    { name: "tabs and spaces", header: "\t198.51.100.1 \t", expected: "198.51.100.1" },
    { name: "a port", header: "198.51.100.1:4711", expected: "198.51.100.1" },
    { name: "IPv6", header: "2001:db8:1:2:3:4:5:6", expected: "2001:db8:1:2::/64" },
    { name: "IPv6 in brackets", header: "[2001:db8:1:2::9]", expected: "2001:db8:1:2::/64" },
    {
      name: "IPv6 in brackets with a port",
      header: "[2001:db8:1:2::9]:99",
      expected: "2001:db8:1:2::/64",
    },
    { name: "loopback in brackets with a port", header: "[::1]:99", expected: "::/64" },
    { name: "an IPv4-mapped address", header: "::ffff:198.51.100.1", expected: "198.51.100.1" },
    {
      name: "a mapped address of a proxy is a proxy",
      header: "198.51.100.1, ::ffff:10.1.2.3",
      expected: "198.51.100.1",
    },
    {
      name: "a mapped address in brackets of a proxy is a proxy",
      header: "198.51.100.1, [::ffff:10.1.2.3]:80",
      expected: "198.51.100.1",
    },
    { name: "a zone does not make another client", header: "fe80::1%evil", expected: "fe80::/64" },
    {
      name: "junk left of a client's address is not looked at",
      header: "unknown, 198.51.100.1",
      expected: "198.51.100.1",
    },
    {
      name: "an empty entry left of a client's address",
      header: "1.1.1.1, , ::1",
      expected: "::/64",
    },
  ])("X-Forwarded-For of a trusted proxy: $name", ({ header, expected }) => {
    for (const peer of [PROXY, `::ffff:${PROXY}`, "fd12::1"]) {
      expect(addresses.of(peer, forwarded(header))).toEqual({ key: expected, viaProxy: true });
    }
  });

  test.each([
    { name: "unknown", header: "unknown" },
    { name: "an obfuscated name", header: "_hidden" },
    { name: "empty", header: "" },
    { name: "a comma", header: "," },
    { name: "an empty entry on the right", header: "198.51.100.1, " },
    { name: "an empty entry right of proxies", header: "198.51.100.1, , 10.1.1.1" },
    { name: "a name", header: "localhost" },
    { name: "8 kB of letters", header: "a".repeat(8192) },
    { name: "8 kB of digits", header: "1".repeat(8192) },
    { name: "8 kB of dots and a port", header: `${"1.".repeat(4096)}:1` },
    { name: "8 kB of brackets", header: "[".repeat(8192) },
    { name: "a bracket that is not closed", header: "[::1" },
    { name: "brackets around nothing", header: "[]" },
    { name: "brackets twice", header: "[[::1]]" },
    { name: "a port that is none", header: "198.51.100.1:http" },
    { name: "a port of six digits", header: "198.51.100.1:123456" },
    { name: "a port of six digits behind brackets", header: "[2001:db8::1]:123456" },
    { name: "quotes", header: '"198.51.100.1"' },
    { name: "for=", header: "for=198.51.100.1" },
    { name: "an octal quad", header: "0306.51.100.1" },
    { name: "a length", header: "198.51.100.1/32" },
    { name: "two addresses without a comma", header: "198.51.100.1 198.51.100.2" },
    { name: "a semicolon for a comma", header: "198.51.100.1; 198.51.100.2" },
    { name: "junk right of a client's address", header: "198.51.100.1, junk" },
    { name: "junk between proxies", header: "198.51.100.1, junk, 10.1.1.1" },
  ])("junk in X-Forwarded-For falls into the one shared bucket: $name", ({ header }) => {
    expect(addresses.of(PROXY, forwarded(header))).toEqual({
      key: UNKNOWN_ADDRESS,
      viaProxy: true,
    });
  });

  test("without the header a trusted proxy counts by itself", () => {
    expect(addresses.of(PROXY, new Headers())).toEqual({ key: PROXY, viaProxy: true });
  });

  test("several headers are one list, in their order", () => {
    expect(keyOf(PROXY, forwarded("203.0.113.9", "198.51.100.1"))).toBe("198.51.100.1");
    expect(keyOf(PROXY, forwarded("203.0.113.9, 198.51.100.1", "10.1.1.1"))).toBe("198.51.100.1");
  });

  test("reads 8 kB of entries in little time", () => {
    const startMs = performance.now();
    for (let n = 0; n < 20; n++) {
      expect(keyOf(PROXY, forwarded(`198.51.100.1${",10.0.0.1".repeat(900)}`))).toBe(
        "198.51.100.1",
      );
    }
    expect(performance.now() - startMs).toBeLessThan(2000);
  });

  test("a proxy's clients are told apart at every request, and so is an empty header from none", () => {
    const some = new ClientAddresses({ trustedProxies, ipv6Prefix: 64 });
    for (let round = 0; round < 2; round++) {
      for (const client of ["198.51.100.1", "198.51.100.2", "198.51.100.1"]) {
        expect(some.of(PROXY, forwarded(client)).key).toBe(client);
        expect(some.of("10.1.1.1", forwarded(`${client}, 203.0.113.1`)).key).toBe("203.0.113.1");
      }
      expect(some.of(PROXY, new Headers()).key).toBe(PROXY);
      expect(some.of(PROXY, forwarded("")).key).toBe(UNKNOWN_ADDRESS);
    }
  });

  test.each([
    { name: "peers", proxies: [], of: (ip: string) => [ip, new Headers()] as const },
    {
      name: "clients",
      proxies: trustedProxies,
      of: (ip: string) => [PROXY, forwarded(ip)] as const,
    },
    {
      name: "proxies",
      proxies: [parseIpPrefix("198.0.0.0/8")!],
      of: (ip: string) => [ip, new Headers()] as const,
    },
  ])("answers right for more $name than it remembers", ({ proxies, of }) => {
    const some = new ClientAddresses({ trustedProxies: proxies, ipv6Prefix: 64 });
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 3000; i++) {
        const ip = `198.18.${i >> 8}.${i & 255}`;
        expect(some.of(...of(ip)).key).toBe(ip);
      }
    }
  });

  test("hasProxies tells whether any peer's headers are believed", () => {
    expect(addresses.hasProxies).toBe(true);
    expect(new ClientAddresses({ trustedProxies: [], ipv6Prefix: 64 }).hasProxies).toBe(false);
  });
});
