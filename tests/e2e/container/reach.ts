import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the agent tries to reach (reach.py), and what answers where nothing stands in the way. */
export interface Attempt {
  readonly name: string;
  readonly kind: "http" | "udp" | "ping" | "dns";
  readonly target: string;
  readonly open: string;
}

const http = (name: string, target: string, open: string): Attempt => ({
  name,
  kind: "http",
  target: target.includes(":") ? target : `${target}:80`,
  open,
});

/** What must be reached with the wall as without it. */
export const PUBLIC: readonly Attempt[] = [
  http("a public host", "203.0.113.10", "pub"),
  http("a public host by name", "public.test", "pub"),
  http("a public host on another port", "203.0.113.10:8080", "pub"),
  { name: "a public host over UDP", kind: "udp", target: "203.0.113.10:9999", open: "pub" },
  { name: "the resolver", kind: "dns", target: "203.0.113.10:53", open: "answer" },
];

/** What must not. Every row is first shown to be reached without the wall. */
export const INTERNAL: readonly Attempt[] = [
  http("a neighbour on the LAN (RFC 1918, 10/8)", "10.99.0.2", "lan"),
  http("a neighbour on another port", "10.99.0.2:8080", "lan"),
  http("a neighbour by name", "lan.test", "lan"),
  http("RFC 1918, 192.168/16", "192.168.7.2", "lan"),
  http("RFC 1918, 172.16/12", "172.20.0.2", "lan"),
  http("a cloud's metadata", "169.254.169.254", "meta"),
  http("a cloud's metadata by name", "meta.test", "meta"),
  http("a cloud's metadata, decimal", "2852039166", "meta"),
  http("a cloud's metadata, octal", "0251.0376.0251.0376", "meta"),
  http("another cloud's metadata, in CGNAT", "100.100.100.200", "lan"),
  http("another cloud's metadata, public", "168.63.129.16", "lan"),
  http("CGNAT (RFC 6598)", "100.64.0.2", "lan"),
  http("benchmarking (RFC 2544)", "198.18.0.2", "lan"),
  http("protocol assignments (RFC 6890)", "192.0.0.10", "lan"),
  http("6to4 relays (RFC 7526)", "192.88.99.2", "lan"),
  http("reserved (RFC 1112)", "240.0.0.2", "lan"),
  http("this network (RFC 6890)", "0.9.9.9", "lan"),
  http("IPv4 mapped into IPv6", "[::ffff:10.99.0.2]:80", "lan"),
  http("metadata mapped into IPv6", "[::ffff:a9fe:a9fe]:80", "meta"),
  { name: "a neighbour over UDP", kind: "udp", target: "10.99.0.2:9999", open: "lan" },
  { name: "a neighbour over ICMP", kind: "ping", target: "10.99.0.2", open: "pong" },
  { name: "metadata over UDP", kind: "udp", target: "169.254.169.254:9999", open: "meta" },
  { name: "another resolver, on the LAN", kind: "dns", target: "10.99.0.2:53", open: "answer" },
  http("this server by its public address", "203.0.113.1:8080", "host"),
];

/** Around the box of the world: its own networks. */
export const OWN: readonly Attempt[] = [
  http("the gateway", "172.31.200.1:8080", "host"),
  http("another container", "198.51.100.3", "peer"),
  http("IPv6", "[fd00:99::2]:80", "lan"),
];

const PROGRAM = readFileSync(join(import.meta.dir, "reach.py"), "utf8");

/** For `python3 …`: the program itself goes along, so that it runs anywhere. */
export function reachArgs(attempts: readonly Attempt[]): string[] {
  const rows = attempts.map(({ name, kind, target }) => [name, kind, target]);
  return ["-c", PROGRAM, JSON.stringify(rows)];
}

/** The same for an agent, whose model writes slowly: a short command, and the files that it needs. */
export function reachFiles(attempts: readonly Attempt[]): Record<string, string> {
  return { "reach.py": PROGRAM, "reach.json": reachArgs(attempts).at(-1) ?? "" };
}
export const REACH_COMMAND = 'python3 /vault/reach.py "$(cat /vault/reach.json)"';

export function readReach(output: string): Record<string, string> {
  const line = output.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`reach.py said nothing of use: ${output}`);
  return JSON.parse(line) as Record<string, string>;
}

/** What the attempts would say if everything were open. */
export function allOpen(attempts: readonly Attempt[]): Record<string, string> {
  return Object.fromEntries(attempts.map(({ name, open }) => [name, open]));
}

/** What was reached all the same, or not even tried. */
export function reached(
  attempts: readonly Attempt[],
  answers: Readonly<Record<string, string>>,
): string[] {
  return attempts
    .filter(({ name }) => answers[name]?.startsWith("refused: ") !== true)
    .map(({ name }) => `${name}: ${answers[name] ?? "not tried"}`);
}
