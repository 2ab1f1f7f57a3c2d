import { TRASH_FOLDER } from "./trash.ts";
import { UNFINISHED_FOLDER } from "./unfinished.ts";

/**
 * Not told to watchers: the trash, git's own files, which change by the hundred with each command, and Nest's folder for
 * unfinished writes.
 *
 * @param isInRoot - the name lies in the vault's root
 */
export function isKeptFromWatchers(name: string, isInRoot: boolean): boolean {
  return name === ".git" || (isInRoot && (name === TRASH_FOLDER || name === UNFINISHED_FOLDER));
}

/** Not searched, as listings leave them out: names that begin with a dot, the trash and git's folder among them. */
export function isKeptFromSearch(name: string): boolean {
  return name.startsWith(".");
}
