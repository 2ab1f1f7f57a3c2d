import type { RequestScope, Step } from "./env.ts";

const METHODS = "GET, HEAD, POST, PUT, DELETE, OPTIONS";
const HEADERS =
  "Authorization, Content-Type, If-Match, If-None-Match, If-Range, Range, Idempotency-Key";
const EXPOSED =
  "ETag, Content-Range, X-Trash-Path, Retry-After, X-Request-Id, RateLimit, RateLimit-Policy";

/**
 * CORS for `/api/*`, where origins are configured (Fetch standard, section 3.2). Never `Allow-Credentials`: there are no
 * cookies, and with it a reflected origin would be a way in (CVE-2026-54290).
 *
 * With one origin it is always sent; with several the request's own if it is among them, compared as a whole.
 */
export function appendCors(scope: RequestScope, headers: Headers): void {
  const { corsOrigins } = scope.settings;
  headers.set("Vary", "Origin");
  const origin =
    corsOrigins.length === 1 ? corsOrigins[0] : allowed(scope.header("origin"), corsOrigins);
  if (origin !== undefined) headers.set("Access-Control-Allow-Origin", origin);
  headers.set("Access-Control-Allow-Methods", METHODS);
  headers.set("Access-Control-Allow-Headers", HEADERS);
  headers.set("Access-Control-Expose-Headers", EXPOSED);
  headers.set("Cross-Origin-Resource-Policy", "cross-origin");
}

function allowed(origin: string | null, origins: readonly string[]): string | undefined {
  return origin !== null && origins.includes(origin) ? origin : undefined;
}

/** Step 3: with CORS configured every OPTIONS is answered 204, without authentication: browsers send none with it. */
export function answerPreflight(headersOf: (scope: RequestScope) => Headers): Step {
  return function preflight(scope) {
    if (scope.settings.corsOrigins.length === 0 || scope.request.method !== "OPTIONS")
      return undefined;
    return new Response(null, { status: 204, headers: headersOf(scope) });
  };
}
