import { appendCors } from "./cors.ts";
import type { RequestScope } from "./env.ts";

/** True for the routes that need a token and are never cached. */
export function isApi(path: string): boolean {
  return path.startsWith("/api/") || path === "/api";
}

/** What every answer carries (contract section 3). */
const COMMON = {
  "X-Content-Type-Options": "nosniff",
  "Referrer-Policy": "no-referrer",
  "Cross-Origin-Resource-Policy": "same-origin",
  "X-Frame-Options": "DENY",
};

/** Headers made once for each use: on API paths and elsewhere. */
interface Template {
  readonly api: Headers;
  readonly other: Headers;
}

const byContentType = new Map<string, Template>();
const byOwnHeaders = new WeakMap<object, Template>();

/**
 * The headers of an answer: those of every answer, and its own. To be given to one `Response` at once, which copies
 * them: they are a shared template, since making them anew costs more than the rest of the pipeline together.
 *
 * @param own - remembered by identity, so a constant is worth more than a literal in the call
 */
export function headersFor(
  scope: RequestScope,
  contentType: string,
  own?: Readonly<Record<string, string>>,
): Headers {
  const template = own === undefined ? plainTemplate(contentType) : ownTemplate(contentType, own);
  const api = isApi(scope.path);
  let headers = api ? template.api : template.other;
  if (api && scope.settings.corsOrigins.length > 0) {
    headers = new Headers(headers);
    appendCors(scope, headers);
  }
  headers.set("X-Request-Id", scope.id);
  return headers;
}

function plainTemplate(contentType: string): Template {
  let template = byContentType.get(contentType);
  if (template === undefined) {
    template = makeTemplate(contentType, {});
    byContentType.set(contentType, template);
  }
  return template;
}

function ownTemplate(contentType: string, own: Readonly<Record<string, string>>): Template {
  let template = byOwnHeaders.get(own);
  if (template === undefined) {
    template = makeTemplate(contentType, own);
    byOwnHeaders.set(own, template);
  }
  return template;
}

function makeTemplate(contentType: string, own: Readonly<Record<string, string>>): Template {
  const typed = { "Content-Type": contentType, ...COMMON };
  return {
    api: new Headers({ ...typed, "Cache-Control": "no-store", ...own }),
    other: new Headers({ ...typed, "Cache-Control": "no-cache", ...own }),
  };
}

/** A JSON answer. */
export function json(scope: RequestScope, body: unknown, status = 200): Response {
  return new Response(JSON.stringify(body), {
    status,
    headers: headersFor(scope, "application/json"),
  });
}
