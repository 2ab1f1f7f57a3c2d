import type { Authenticator } from "../../auth/authenticator.ts";
import type { Clock } from "../../clock.ts";
import type { Principal } from "../../auth/principal.ts";
import type { LockOut } from "../../limit/lock-out.ts";
import type { Log } from "../../log/log.ts";
import type { RequestScope, Step } from "../env.ts";
import { isApi } from "../headers.ts";
import { problem, Refusal } from "../problem.ts";
import { RecentUses } from "../recent-uses.ts";

export interface AuthenticateOptions {
  readonly authenticator: Authenticator;
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly lockOut: LockOut;
  readonly log: Log;
}

/** Answers a request whose credentials are missing or wrong; `counts` is false for what may not lock anybody out. */
export type RefuseCredentials = (
  scope: RequestScope,
  reason: string,
  counts: boolean,
  detail?: string,
) => Response;

/**
 * Step 4: a bearer token on `/api/*` and `/attach`, known paths or not (401 before 404, so that nothing is told about
 * which exist). An upgrade of `/attach` may come without: its first frame will authenticate it. So may a delivery to
 * `/api/webhook/{source}`, known or not: its route looks at the source's own credential, and a token is none there.
 *
 * Every 401 counts towards the lock-out but one: a request without credentials that the browser itself marks as sent
 * by another site. Any web page could make its visitor's browser send those (CVE-2026-32025 the other way round).
 */
export function authenticate(
  { authenticator, clock, log }: AuthenticateOptions,
  refuse: RefuseCredentials,
): Step {
  const recent = new RecentUses(() => clock.monotonicMs());
  return function authentication(scope) {
    const { path } = scope;
    const attach = path === "/attach";
    if (!attach && !isApi(path)) return undefined;
    if (isDelivery(scope)) return undefined;
    const header = scope.header("authorization");
    if (header === null) {
      if (attach && isUpgrade(scope)) return undefined;
      return refuse(scope, "missing_credentials", !isCrossSite(scope));
    }
    const principal = authenticator.authenticateHeader(header);
    if (principal === undefined) return refuse(scope, "wrong_credentials", true);
    scope.principal = principal;
    // `/attach` tells of each of its sockets by itself.
    if (!attach && recent.isNew(principal, scope)) {
      log.audit("authenticated", {
        token: principal.name,
        address: scope.client.key,
        route: scope.route,
        request: scope.id,
      });
    }
    return undefined;
  };
}

/** The one place that refuses credentials: logs it, counts it, and tells the client nothing but 401. */
export function refuseCredentials({
  lockOut,
  log,
}: Pick<AuthenticateOptions, "lockOut" | "log">): RefuseCredentials {
  return function refuse(scope, reason, counts, detail = DETAIL) {
    const { key } = scope.client;
    if (counts) {
      log.security("auth_failed", { address: key, route: scope.route, reason, request: scope.id });
      lockOut.fail(key, { route: scope.route, request: scope.id });
    }
    return problem(scope, "unauthorized", detail, CHALLENGE);
  };
}

const DETAIL = "Expected the header Authorization: Bearer <token> with a valid token";

/**
 * Whose request it is, as things stand now: to be asked again behind every `await` that a client can draw out.
 *
 * Not counted as a failure: the token was good when it came.
 *
 * @throws {Refusal} 401 if the token has been revoked or has expired since
 */
export function renewed({ principal }: RequestScope, authenticator: Authenticator): Principal {
  const now = principal && authenticator.renew(principal);
  if (now === undefined) throw new Refusal("unauthorized", DETAIL, CHALLENGE);
  return now;
}

/** `POST /api/webhook/{source}`, whatever the name: which exist is nobody's business. */
function isDelivery({ request, path }: RequestScope): boolean {
  return request.method === "POST" && /^\/api\/webhook\/[^/]+$/.test(path);
}

/** RFC 6750 section 3, without an error code: what is wrong with a token is nobody's business. */
const CHALLENGE = { "WWW-Authenticate": "Bearer" };

/** RFC 6455 section 4.1. */
export function isUpgrade(scope: RequestScope): boolean {
  return scope.request.method === "GET" && scope.header("upgrade")?.toLowerCase() === "websocket";
}

/** Fetch Metadata, section 2.3: set by browsers, out of a page's reach. */
export function isCrossSite(scope: RequestScope): boolean {
  const site = scope.header("sec-fetch-site");
  return site === "cross-site" || site === "same-site";
}
