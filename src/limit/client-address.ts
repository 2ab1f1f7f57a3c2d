import {
  formatIpAddress,
  type IpAddress,
  type IpPrefix,
  isInside,
  networkOf,
  parseIpAddress,
} from "./ip-address.ts";

/** Whom the lock-out counts, and whether a proxy of ours vouches for it. */
export interface ClientAddress {
  /** IPv4 as a dotted quad, IPv6 as `network/length`, or {@link UNKNOWN_ADDRESS}. The key of every per-client limit. */
  readonly key: string;
  /** True if the peer is a trusted proxy, so that its X-Forwarded-Proto may be believed too. */
  readonly viaProxy: boolean;
}

export interface ClientAddressOptions {
  readonly trustedProxies: readonly IpPrefix[];
  /** Leading bits of an IPv6 address that make one client, 1 to 128 · 64 (one home or host usually has a whole /64). */
  readonly ipv6Prefix: number;
}

/**
 * One shared bucket for requests whose sender can't be told (the peer has gone, or a proxy wrote something that is no
 * address). Strict on purpose: a fresh key for every junk string would be a fresh allowance of guesses.
 */
export const UNKNOWN_ADDRESS = "unknown";

const UNKNOWN: ClientAddress = { key: UNKNOWN_ADDRESS, viaProxy: false };

/** Peers, and what proxies wrote, remembered, count of each: parsing costs as much as all else that a refusal needs. */
const MAX_REMEMBERED = 1024;
/** Longest X-Forwarded-For remembered, characters: the rest of it is the client's own words, as long as it likes. */
const MAX_REMEMBERED_LENGTH = 128;

/** Tells clients apart. */
export class ClientAddresses {
  readonly #options: ClientAddressOptions;
  /** Answers for peers that are no proxies, by the text of their address. */
  readonly #direct = new Map<string, ClientAddress>();
  /** Peers that are trusted proxies, by the text of their address. */
  readonly #proxies = new Map<string, IpAddress>();
  /** Answers for those, by peer and X-Forwarded-For as they came. */
  readonly #forwarded = new Map<string, ClientAddress>();

  constructor(options: ClientAddressOptions) {
    this.#options = options;
  }

  /**
   * The key under which an address counts, for who names one: `192.0.2.1`, `2001:db8::7`, `2001:db8::/64`, `unknown`.
   * `undefined` if it is none.
   */
  keyOf(text: string): string | undefined {
    if (text === UNKNOWN_ADDRESS) return UNKNOWN_ADDRESS;
    const address = parseIpAddress(text.replace(/\/\d{1,3}$/, ""));
    return address === undefined ? undefined : keyOf(address, this.#options.ipv6Prefix);
  }

  /** False where no peer's forwarding headers are believed. */
  get hasProxies(): boolean {
    return this.#options.trustedProxies.length > 0;
  }

  /**
   * The address that a request is counted by: the peer's, unless the peer is a trusted proxy; then the rightmost
   * address in X-Forwarded-For that is not itself a trusted proxy, the only one that a proxy of ours wrote.
   * No other header is read (CVE-2026-35656, GHSA-xgm2-5f3f-mvvc).
   *
   * @param peer - the other end of the TCP connection, as `server.requestIP` says; `undefined` once it has gone
   */
  of(peer: string | undefined, headers: Pick<Headers, "get">): ClientAddress {
    if (peer === undefined) return UNKNOWN;
    const known = this.#direct.get(peer);
    if (known !== undefined) return known;
    if (!this.#proxies.has(peer)) {
      const address = parseIpAddress(peer);
      if (address === undefined) return UNKNOWN;
      if (!isTrusted(address, this.#options.trustedProxies)) {
        const direct = { key: keyOf(address, this.#options.ipv6Prefix), viaProxy: false };
        return remember(this.#direct, peer, direct);
      }
      remember(this.#proxies, peer, address);
    }
    return this.#behind(peer, headers.get("x-forwarded-for"));
  }

  #behind(peer: string, forwardedFor: string | null): ClientAddress {
    // An empty header is junk, none at all is not: the space tells them apart.
    const text = forwardedFor === null ? peer : `${peer} ${forwardedFor}`;
    const known = this.#forwarded.get(text);
    if (known !== undefined) return known;
    const proxy = this.#proxies.get(peer) as IpAddress;
    const client = { key: forwardedKey(proxy, forwardedFor, this.#options), viaProxy: true };
    return text.length > MAX_REMEMBERED_LENGTH ? client : remember(this.#forwarded, text, client);
  }
}

/** Starting anew when full is enough: what is in use comes back at once. */
function remember<T>(map: Map<string, T>, text: string, value: T): T {
  if (map.size >= MAX_REMEMBERED) map.clear();
  map.set(text, value);
  return value;
}

/** True if `address` is one of the proxies whose forwarding headers are believed. */
function isTrusted(address: IpAddress, proxies: readonly IpPrefix[]): boolean {
  return proxies.some((proxy) => isInside(address, proxy));
}

function forwardedKey(
  proxy: IpAddress,
  forwardedFor: string | null,
  { trustedProxies, ipv6Prefix }: ClientAddressOptions,
): string {
  let last = proxy;
  if (forwardedFor !== null) {
    for (const entry of forwardedFor.split(",").toReversed()) {
      const hop = parseIpAddress(withoutPort(entry.trim()));
      if (hop === undefined) return UNKNOWN_ADDRESS;
      if (!isTrusted(hop, trustedProxies)) return keyOf(hop, ipv6Prefix);
      last = hop;
    }
  }
  return keyOf(last, ipv6Prefix);
}

/** `1.2.3.4:5` and `[::1]:5` are written by some proxies; the port says nothing about who it is. */
function withoutPort(entry: string): string {
  return (
    /^\[([^\]]*)\](?::\d{1,5})?$/.exec(entry)?.[1] ?? /^([\d.]+):\d{1,5}$/.exec(entry)?.[1] ?? entry
  );
}

function keyOf(address: IpAddress, ipv6Prefix: number): string {
  if (address.family === 4) return formatIpAddress(address);
  return `${formatIpAddress(networkOf(address, ipv6Prefix))}/${ipv6Prefix}`;
}
