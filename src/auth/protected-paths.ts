import type { Principal } from "./principal.ts";

/**
 * Folders of the vault whose files run code or undo what was done: pi loads extensions and settings from `.pi` and
 * skills from `.agents`, git runs hooks and the commands in its config, what was deleted waits in `.trash`.
 */
const FOLDERS = new Set([".pi", ".agents", ".git", ".trash"]);
/** Files that programs take their environment from or run before they begin. */
const FILES = /^(?:\.env(?:rc|[._-].*)?|bunfig\.toml)$/;

/** What file systems drop from names or don't show: HFS+ ignores these, as git's own check has it. */
const IGNORED = /\p{Default_Ignorable_Code_Point}/gu;

/**
 * True for a path that a token without `admin` may not write, move or delete, nor move anything to: writing there runs
 * code as the owner, which is more than `vault:write` says.
 *
 * A folder is judged by its own path: who moves or deletes `project` has to ask for `project/.git`, too.
 *
 * @param components - of the path that is really written to, every link resolved, relative to the vault: a link
 *   `notes -> .git` would pass otherwise
 */
export function isProtectedPath(components: readonly string[]): boolean {
  return components.some((component) => {
    const name = foldedName(component);
    return FOLDERS.has(name) || FILES.test(name) || SHORT_NAME.test(name);
  });
}

/** True if this token may change what lies there. */
export function mayChange({ scopes }: Principal, components: readonly string[]): boolean {
  return scopes.has("vault:write") && (scopes.has("admin") || !isProtectedPath(components));
}

/** `GIT~1`: the 8.3 name by which Windows and its network drives know `.git` (CVE-2014-9390). */
const SHORT_NAME = /^(?:git|pi|trash|agents|env|bunfig)~\d+$/;

/**
 * The name as the most forgetful file system knows it: any case, compatibility forms, ignorable characters, a stream
 * behind a colon, dots and spaces at the end.
 */
function foldedName(component: string): string {
  return component
    .normalize("NFKC")
    .replace(IGNORED, "")
    .toLowerCase()
    .replace(/:.*$/s, "")
    .replace(/[. ]+$/, "");
}
