/**
 * IP addresses as numbers, in the textual forms of RFC 4291 section 2.2 and RFC 6943 section 3.1.1 (strict dotted
 * quad only: `127.1`, `0x7f.0.0.1` and `0177.0.0.1` are names to us, as they are to a resolver).
 */
export interface IpAddress {
  readonly family: 4 | 6;
  readonly value: bigint;
}

const OCTET = "(?:0|[1-9]\\d?|1\\d\\d|2[0-4]\\d|25[0-5])";
const QUAD = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const GROUP = /^[0-9a-f]{1,4}$/i;
/** `::ffff:0:0/96`, an IPv4 client seen through a dual-stack socket (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffffn;

/** Reads an address; IPv4-mapped IPv6 becomes IPv4, a zone (`%eth0`) is dropped. `undefined` if it is none. */
export function parseIpAddress(text: string): IpAddress | undefined {
  if (QUAD.test(text)) return { family: 4, value: quad(text) };
  const zone = text.indexOf("%");
  const value = groups(zone === -1 ? text : text.slice(0, zone));
  if (value === undefined) return undefined;
  if (value >> 32n === MAPPED) return { family: 4, value: value & 0xffffffffn };
  return { family: 6, value };
}

/** The canonical text: a dotted quad, or RFC 5952 for IPv6. */
export function formatIpAddress({ family, value }: IpAddress): string {
  if (family === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 0xffn).join(".");
  const words = Array.from({ length: 8 }, (_, i) =>
    Number((value >> BigInt(112 - 16 * i)) & 0xffffn),
  );
  return compress(words);
}

/** True if `address` lies in `prefix`, both of the same family. */
export function isInside(address: IpAddress, prefix: IpPrefix): boolean {
  if (address.family !== prefix.family) return false;
  const rest = BigInt((prefix.family === 4 ? 32 : 128) - prefix.length);
  return address.value >> rest === prefix.value >> rest;
}

/** 127.0.0.0/8 (RFC 1122 section 3.2.1.3) and ::1 (RFC 4291 section 2.5.3). */
export function isLoopback({ family, value }: IpAddress): boolean {
  return family === 4 ? value >> 24n === 127n : value === 1n;
}

/** A CIDR block, RFC 4632 section 3.1. */
export interface IpPrefix extends IpAddress {
  readonly length: number;
}

/** Reads `address/length` or a single address; `undefined` if it is neither. Host bits may be set, as proxies write it. */
export function parseIpPrefix(text: string): IpPrefix | undefined {
  const slash = text.indexOf("/");
  const address = parseIpAddress(slash === -1 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const bits = address.family === 4 ? 32 : 128;
  if (slash === -1) return { ...address, length: bits };
  const written = text.slice(slash + 1);
  if (!/^(?:0|[1-9]\d{0,2})$/.test(written)) return undefined;
  // `::ffff:10.0.0.0/104` counts its 96 mapped bits; ours are the 32 that remain.
  const mapped = address.family === 4 && text.includes(":");
  const length = mapped ? Number(written) - 96 : Number(written);
  return length < 0 || length > bits ? undefined : { ...address, length };
}

/** The address with all but its first `length` bits cleared. */
export function networkOf(address: IpAddress, length: number): IpAddress {
  const rest = BigInt((address.family === 4 ? 32 : 128) - length);
  return { family: address.family, value: (address.value >> rest) << rest };
}

function quad(text: string): bigint {
  return text.split(".").reduce((value, octet) => (value << 8n) | BigInt(octet), 0n);
}

function groups(text: string): bigint | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const words: number[][] = [];
  for (const [i, half] of halves.entries()) {
    const parsed = half === "" && halves.length === 2 ? [] : wordsOf(half, i === halves.length - 1);
    if (parsed === undefined) return undefined;
    words.push(parsed);
  }
  const [head = [], tail] = words;
  const missing = 8 - head.length - (tail?.length ?? 0);
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...head, ...Array<number>(missing).fill(0), ...(tail ?? [])];
  return all.reduce((value, word) => (value << 16n) | BigInt(word), 0n);
}

/** The 16-bit groups of one side of `::`; only the last may end in a dotted quad. */
function wordsOf(text: string, last: boolean): number[] | undefined {
  const words: number[] = [];
  const parts = text.split(":");
  for (const [i, part] of parts.entries()) {
    if (GROUP.test(part)) words.push(Number.parseInt(part, 16));
    else if (last && i === parts.length - 1 && QUAD.test(part)) {
      const value = quad(part);
      words.push(Number(value >> 16n), Number(value & 0xffffn));
    } else return undefined;
  }
  return words;
}

/** RFC 5952 section 4.2: the first longest run of two or more zero groups becomes `::`. */
function compress(words: readonly number[]): string {
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && words[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
    i = Math.max(i, end);
  }
  const hex = (part: readonly number[]) => part.map((word) => word.toString(16)).join(":");
  if (start === -1) return hex(words);
  return `${hex(words.slice(0, start))}::${hex(words.slice(start + length))}`;
}
