import type { Attach } from "../../attach/attach.ts";
import type { Log } from "../../log/log.ts";
import type { NestContext, RequestScope } from "../env.ts";
import { isUpgrade } from "../middleware/authenticate.ts";
import { problem } from "../problem.ts";

export interface AttachRouteOptions {
  readonly attach: Attach;
  readonly sessions: { has(name: string): boolean };
  readonly log: Log;
}

const SEQ = /^\d{1,16}$/;

/**
 * `GET /attach`: decides on the upgrade, synchronously from the first byte of the request on.
 *
 * Browsers let any page open a socket to any server and send an `Origin` with it; programs send none. So a foreign one
 * is refused before the upgrade (CVE-2023-26114, CVE-2025-24010), though it could do nothing without the token.
 */
export function attachRoute({ attach, sessions, log }: AttachRouteOptions) {
  return function upgrade(c: NestContext): Response {
    const scope = c.env;
    if (!isUpgrade(scope)) {
      return problem(scope, "upgrade_required", "Expected a WebSocket handshake", {
        Upgrade: "websocket",
        Connection: "Upgrade",
      });
    }
    const origin = scope.header("origin");
    if (
      origin !== null &&
      origin !== ownOrigin(scope) &&
      !scope.settings.corsOrigins.includes(origin)
    ) {
      log.security("origin_refused", {
        address: scope.client.key,
        route: scope.route,
        reason: "foreign_origin",
        origin,
        request: scope.id,
      });
      return problem(
        scope,
        "origin_refused",
        'Pages of that origin may not attach. The owner can add it to "server.cors.origin"',
      );
    }
    const session = c.req.query("session") ?? "default";
    const since = c.req.query("since");
    if (since !== undefined && !(SEQ.test(since) && Number.isSafeInteger(Number(since)))) {
      return problem(
        scope,
        "bad_request",
        "Expected since to be the number of the last event seen",
      );
    }
    const { principal } = scope;
    if (principal !== undefined) {
      // Without authentication the answer waits for it: which sessions exist is nobody's business.
      if (!sessions.has(session))
        return problem(scope, "session_not_found", "No session has this name");
    }
    const connection = attach.admit({
      address: scope.client.key,
      requestId: scope.id,
      session,
      ...(since !== undefined && { since: Number(since) }),
      ...(principal !== undefined && { principal }),
    });
    if (connection === undefined) {
      return problem(
        scope,
        "too_many_waiting",
        "Too many sockets of this address wait to be authenticated",
        {
          "Retry-After": "5",
        },
      );
    }
    if (scope.upgrade(connection)) return new Response(null);
    connection.closed();
    return problem(
      scope,
      "bad_request",
      "Expected a WebSocket handshake as RFC 6455 section 4.1 has it",
    );
  };
}

/** What a page served by this very server sends as its Origin: scheme, host, and the port unless it is the usual one. */
function ownOrigin(scope: RequestScope): string {
  const { settings, client } = scope;
  const secure =
    settings.addresses.hasProxies &&
    client.viaProxy &&
    scope.header("x-forwarded-proto")?.toLowerCase() === "https";
  const host = scope
    .header("host")
    ?.toLowerCase()
    .replace(secure ? /:443$/ : /:80$/, "");
  return `${secure ? "https" : "http"}://${host}`;
}
