import { parseIpAddress } from "../../limit/ip-address.ts";
import type { Log } from "../../log/log.ts";
import type { RequestScope, Step } from "../env.ts";
import { problem } from "../problem.ts";

/** `host[:port]` of RFC 9110 section 7.2, the port checked apart. Two headers arrive joined with a comma. */
const AUTHORITY = /^(\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9_.])?)(?::(\d{1,5}))?$/i;

/** Hosts found good are remembered, so that most requests cost one look-up; a client can invent only so many. */
const MAX_REMEMBERED = 64;

/**
 * Step 1: refuses requests for names that are not ours, so that no other site's name can be made to point here and act
 * from the visitor's browser (DNS rebinding: CVE-2024-28224, CVE-2025-49596). IP literals can't be rebound.
 *
 * It comes first because with a malformed Host `req.url` is relative or unparsable and nothing after this may trust it.
 */
export function checkHost(log: Log): Step {
  let settings: unknown;
  const good = new Set<string>();
  return function host(scope) {
    const header = scope.header("host");
    if (settings !== scope.settings) {
      settings = scope.settings;
      good.clear();
    }
    if (header !== null && good.has(header)) return undefined;
    const name = nameOf(header);
    if (name === undefined) {
      return problem(
        scope,
        "bad_host",
        "Expected exactly one Host header of the form host or host:port",
      );
    }
    if (isServed(name, scope)) {
      if (good.size < MAX_REMEMBERED) good.add(header as string);
      return undefined;
    }
    if (scope.path === "/health" || isProxied(scope)) return undefined;
    log.security("host_refused", {
      address: scope.client.key,
      route: scope.route,
      reason: "unknown_host",
      host: name,
      request: scope.id,
    });
    return problem(
      scope,
      "host_refused",
      'This server does not answer to that name. Its owner can add it to "server.hosts"',
    );
  };
}

/** The lower-case host without its port; `undefined` if the header is none. */
function nameOf(header: string | null): string | undefined {
  const match = header === null ? null : AUTHORITY.exec(header);
  if (match === null) return undefined;
  const [, host = "", port] = match;
  if (port !== undefined && Number(port) > 65_535) return undefined;
  if (!host.startsWith("[")) return host.toLowerCase();
  const literal = host.slice(1, -1);
  return parseIpAddress(literal) === undefined ? undefined : literal.toLowerCase();
}

function isServed(name: string, scope: RequestScope): boolean {
  const address = parseIpAddress(name);
  // 0.0.0.0 and :: are no addresses to ask for, but browsers connect to this machine by them.
  if (address !== undefined) return address.value !== 0n;
  return name === "localhost" || name.endsWith(".localhost") || scope.settings.hosts.has(name);
}

/** A proxy of ours has checked the name itself. */
function isProxied(scope: RequestScope): boolean {
  return scope.settings.addresses.hasProxies && scope.client.viaProxy;
}
