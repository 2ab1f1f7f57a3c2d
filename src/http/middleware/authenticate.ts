import type { Authenticator } from "../../auth/authenticator.ts";
import type { LockOut } from "../../limit/lock-out.ts";
import type { Log } from "../../log/log.ts";
import type { RequestScope, Step } from "../env.ts";
import { isApi } from "../headers.ts";
import { problem } from "../problem.ts";

export interface AuthenticateOptions {
  readonly authenticator: Authenticator;
  readonly lockOut: LockOut;
  readonly log: Log;
}

/**
 * Step 4: a bearer token on `/api/*` and `/attach`, known paths or not (401 before 404, so that nothing is told about
 * which exist). An upgrade of `/attach` may come without: its first frame will authenticate it.
 *
 * Every 401 counts towards the lock-out but one: a request without credentials that the browser itself marks as sent
 * by another site. Any web page could make its visitor's browser send those (CVE-2026-32025 the other way round).
 */
export function authenticate({ authenticator, lockOut, log }: AuthenticateOptions): Step {
  return function authentication(scope) {
    const { path } = scope;
    const attach = path === "/attach";
    if (!attach && !isApi(path)) return undefined;
    const header = scope.header("authorization");
    if (header === null) {
      if (attach && isUpgrade(scope)) return undefined;
      return refuse(scope, "missing_credentials", !isCrossSite(scope));
    }
    scope.principal = authenticator.authenticateHeader(header);
    return scope.principal === undefined ? refuse(scope, "wrong_credentials", true) : undefined;
  };

  function refuse(scope: RequestScope, reason: string, counts: boolean): Response {
    const { key } = scope.client;
    if (counts) {
      log.security("auth_failed", { address: key, route: scope.route, reason, request: scope.id });
      lockOut.fail(key, { route: scope.route, request: scope.id });
    }
    return problem(
      scope,
      "unauthorized",
      "Expected the header Authorization: Bearer <token> with a valid token",
      CHALLENGE,
    );
  }
}

/** RFC 6750 section 3, without an error code: what is wrong with a token is nobody's business. */
const CHALLENGE = { "WWW-Authenticate": "Bearer" };

/** RFC 6455 section 4.1. */
export function isUpgrade(scope: RequestScope): boolean {
  return scope.request.method === "GET" && scope.header("upgrade")?.toLowerCase() === "websocket";
}

/** Fetch Metadata, section 2.3: set by browsers, out of a page's reach. */
function isCrossSite(scope: RequestScope): boolean {
  const site = scope.header("sec-fetch-site");
  return site === "cross-site" || site === "same-site";
}
