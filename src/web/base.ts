/**
 * Where this Nest lives, with a slash at the end: known from the script's own address (`<base>assets/…js`), so it holds
 * below any base path of a proxy, and nothing that a link or a page says can change it (CVE-2026-25253).
 */
export const BASE = new URL("../", import.meta.url);

/** The address of a path below the workspace's own. */
export function addressOf(path: string): URL {
  return new URL(path.replace(/^\/+/, ""), BASE);
}
