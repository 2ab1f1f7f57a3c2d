import { TRASH_FOLDER } from "./trash.ts";
import { UNFINISHED_FOLDER } from "./unfinished.ts";

/** Begins the names of the folders in which `nest audit` tries its attacks (`src/audit/scratch.ts`): thousands of changes. */
const AUDIT_PREFIX = ".nest-audit-";

/**
 * Not told to watchers: the trash, git's own files, which change by the hundred with each command, Nest's folder for
 * unfinished writes, and those of an audit.
 *
 * @param isInRoot - the name lies in the vault's root
 */
export function isKeptFromWatchers(name: string, isInRoot: boolean): boolean {
  if (name === ".git") return true;
  if (!isInRoot) return false;
  return name === TRASH_FOLDER || name === UNFINISHED_FOLDER || name.startsWith(AUDIT_PREFIX);
}

/** Not searched, as listings leave them out: names that begin with a dot, the trash and git's folder among them. */
export function isKeptFromSearch(name: string): boolean {
  return name.startsWith(".");
}
