import { appendCors } from "./cors.ts";
import type { NestContext } from "./env.ts";

/** True for the routes that need a token and are never cached. */
export function isApi(path: string): boolean {
  return path.startsWith("/api/") || path === "/api";
}

/**
 * The headers of every answer (contract section 3), with those of its own.
 *
 * Written out and given to `new Response` in one object: setting them one by one on a finished response costs more
 * than the rest of the pipeline.
 */
export function headersFor(
  c: NestContext,
  contentType: string,
  own?: Readonly<Record<string, string>>,
) {
  const { env } = c;
  const api = isApi(c.req.path);
  const headers: Record<string, string> = {
    "Content-Type": contentType,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cache-Control": api ? "no-store" : "no-cache",
    "X-Request-Id": env.id,
  };
  if (own !== undefined) Object.assign(headers, own);
  if (api && env.settings.corsOrigins.length > 0) appendCors(c, headers);
  return headers;
}

/** A JSON answer. */
export function json(c: NestContext, body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), { status, headers: headersFor(c, "application/json") });
}
