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

type Templates = Map<string, Template>;

/** By own headers, then by content type. */
const templates = new WeakMap<object, Templates>();
const NONE = {};

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
  const template = templateFor(contentType, own ?? NONE);
  const api = isApi(scope.path);
  let headers = api ? template.api : template.other;
  if (api && scope.settings.corsOrigins.length > 0) {
    headers = new Headers(headers);
    appendCors(scope, headers);
  }
  headers.set("X-Request-Id", scope.id);
  return headers;
}

function templateFor(contentType: string, own: Readonly<Record<string, string>>): Template {
  let byType = templates.get(own);
  if (byType === undefined) {
    byType = new Map();
    templates.set(own, byType);
  }
  let template = byType.get(contentType);
  if (template === undefined) {
    template = makeTemplate(contentType, own);
    byType.set(contentType, template);
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
