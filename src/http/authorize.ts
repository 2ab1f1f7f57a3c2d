import { allows, type Need, needOf, ROUTES, scopeNamed } from "../auth/permissions.ts";
import type { NestContext, RequestScope } from "./env.ts";
import { problem } from "./problem.ts";

export type Handler = (c: NestContext) => Response | Promise<Response>;
/** By method. */
export type Methods = Readonly<Record<string, Handler>>;

/**
 * Puts the table's row for a route before its handler.
 *
 * @throws {Error} if there is none: what nobody has thought about is not served
 */
export function authorized(method: string, path: string, handler: Handler): Handler {
  const need = needOf(ROUTES, `${method} ${routeName(path)}`);
  if (need === undefined)
    throw new Error(`Cannot register "${method} ${path}": it has no row in auth/permissions.ts`);
  return function authorization(c) {
    const { principal } = c.env;
    // A socket without a token yet: its first frame is held against the same row.
    const isLater = path === "/attach" && principal === undefined;
    return isLater || allows(principal, need) ? handler(c) : insufficientScope(c.env, need);
  };
}

/** A path as it is registered, without the pattern of its parameter. */
export function routeName(path: string): string {
  return path.replace(/\{.*\}$/, "");
}

/** RFC 6750 section 3.1. */
function insufficientScope(scope: RequestScope, need: Need): Response {
  const named = scopeNamed(need) ?? "";
  return problem(scope, "insufficient_scope", `Expected a token with the scope ${words(need)}`, {
    "WWW-Authenticate": `Bearer error="insufficient_scope", scope="${named}"`,
  });
}

function words(need: Need): string {
  return need === "none" ? "of any kind" : need.map((scope) => `"${scope}"`).join(" or ");
}
