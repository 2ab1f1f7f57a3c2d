import type { Config } from "../config/config.ts";
import type { HttpSettings } from "../http/env.ts";
import { ClientAddresses } from "../limit/client-address.ts";
import type { FailureLimits } from "../limit/failure-store.ts";

/** Failed addresses remembered (contract section 3, Memory). */
const MAX_ADDRESSES = 65_536;

/** What a reload exchanges in the pipeline. */
export function httpSettings({ server }: Config): HttpSettings {
  return {
    hosts: new Set(server.hosts),
    addresses: new ClientAddresses({
      trustedProxies: server.trustedProxies,
      ipv6Prefix: server.rateLimit.ipv6Prefix,
    }),
    corsOrigins: server.corsOrigins,
  };
}

/** What a reload exchanges in the lock-out. */
export function failureLimits({ server: { rateLimit } }: Config): FailureLimits {
  return {
    maxFailures: rateLimit.maxFailures,
    windowMs: rateLimit.windowSeconds * 1000,
    maxAddresses: MAX_ADDRESSES,
  };
}

/** Tokens that went, came or are others now. */
export function changedTokens(
  now: Config,
  next: Config,
): [name: string, reason: "added" | "removed" | "changed"][] {
  // What it may do and until when is as much of it as its secret.
  const all = ({ server }: Config) =>
    new Map(
      server.principals.map(({ name, digest, scopes, expiresMs }) => [
        name,
        [digest.toHex(), [...scopes].toSorted(), expiresMs].join(" "),
      ]),
    );
  const [before, after] = [all(now), all(next)];
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => [name, !before.has(name) ? "added" : after.has(name) ? "changed" : "removed"]);
}

/** Keys that differ and that a running gateway can't take over. */
export function needRestart(now: Config, next: Config): string[] {
  const fixed: [key: string, of: (config: Config) => unknown][] = [
    ["server.host", (config) => config.server.host],
    ["server.port", (config) => config.server.port],
    ["vault", (config) => config.vault],
    ["agent", (config) => config.agent],
    ["sessions", (config) => [...config.sessions]],
    ["log", (config) => config.log],
  ];
  return fixed.filter(([, of]) => !Bun.deepEquals(of(now), of(next))).map(([key]) => key);
}
