/** Where a link in a text leads. */
export type LinkTarget =
  /** Another site, in a tab of its own. */
  | { readonly kind: "web"; readonly href: string }
  /** A file of the vault. */
  | { readonly kind: "vault"; readonly path: string }
  /** Nowhere: the address is of a kind that is not followed. */
  | { readonly kind: "none" };

/** Schemes that are followed; `javascript:`, `data:`, `vbscript:`, `file:` and all others are not. */
const WEB = /^(?:https?|mailto):/i;
/** RFC 3986 section 3.1, after what browsers drop from an address. */
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/**
 * Decides on an address in a text that anybody may have written.
 *
 * @param from - path of the note it stands in, which relative ones begin at
 */
export function resolveLink(address: string, from = ""): LinkTarget {
  // Browsers drop these, so that "java\nscript:" would be one (WHATWG URL, basic URL parser).
  const href = address
    .replaceAll(/[\n\r\t]/g, "")
    .replace(/^[\p{Cc}\s]+/u, "")
    .trim();
  if (WEB.test(href)) {
    const url = URL.parse(href);
    return url === null ? { kind: "none" } : { kind: "web", href: url.href };
  }
  if (href === "" || href.startsWith("#") || href.startsWith("//") || SCHEME.test(href))
    return { kind: "none" };
  const path = vaultPath(href.replace(/[?#].*$/s, ""), from);
  return path === undefined ? { kind: "none" } : { kind: "vault", path };
}

/** The vault path that a relative address means; `undefined` where it would leave the vault. */
function vaultPath(address: string, from: string): string | undefined {
  let decoded: string;
  try {
    decoded = decodeURIComponent(address);
  } catch {
    return undefined;
  }
  if (/[\\\0]/.test(decoded)) return undefined;
  const names = decoded.startsWith("/") ? [] : from.split("/").slice(0, -1);
  for (const name of decoded.split("/")) {
    if (name === "..") {
      if (names.pop() === undefined) return undefined;
    } else if (name !== "" && name !== ".") names.push(name);
  }
  return names.length === 0 ? undefined : names.join("/");
}
