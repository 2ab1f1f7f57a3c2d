import { decodePath } from "../vault/path.ts";
import type { RequestScope } from "./env.ts";

/**
 * The vault path in a request's target: what follows `prefix`, percent-decoded once.
 *
 * Taken from the raw URL and not from the path that is routed by, which is decoded in part already: `%255c` must stay
 * a file's name and not become a backslash (Hono decodes `%5c` and keeps `%2f`).
 *
 * @param prefix - as the route has it, ending in `/`; the same number of `/` stands in the raw path
 * @throws {VaultError} `bad_path` for a broken escape
 */
export function vaultPathOf(scope: RequestScope, prefix: string): string {
  const { url } = scope.request;
  let at = url.indexOf("/", url.indexOf("//") + 2);
  for (let slashes = prefix.split("/").length - 2; slashes > 0; slashes--) {
    at = url.indexOf("/", at + 1);
  }
  const end = url.indexOf("?", at);
  return decodePath(url.slice(at + 1, end === -1 ? undefined : end));
}

/**
 * The vault path in a parameter of the query, decoded as strictly as one in the target: Hono's reader leaves what is no
 * UTF-8 as it stands, and `%ff` would name a file.
 *
 * @returns nothing if there is no such parameter; the first if there are more
 * @throws {VaultError} `bad_path` for a broken escape and for bytes that are no UTF-8
 */
export function vaultPathInQuery(scope: RequestScope, name: string): string | undefined {
  const { url } = scope.request;
  const at = url.indexOf("?");
  if (at === -1) return undefined;
  for (const pair of url.slice(at + 1).split("&")) {
    const equals = pair.indexOf("=");
    if (equals === -1 ? pair === name : pair.slice(0, equals) === name) {
      return equals === -1 ? "" : decodePath(pair.slice(equals + 1).replaceAll("+", " "));
    }
  }
  return undefined;
}
