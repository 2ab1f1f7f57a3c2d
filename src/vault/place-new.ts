import { closeSync, constants, linkSync, openSync, renameSync, unlinkSync } from "node:fs";
import { errnoOf } from "./error.ts";

/** Errors of link(2) where a file system, or a rule of the system's, has no hard links for us. */
const NO_LINKS: ReadonlySet<string | undefined> = new Set([
  "EPERM",
  "ENOTSUP",
  "EOPNOTSUPP",
  "ENOSYS",
  "EMLINK",
]);

/**
 * Puts a file where nothing is, without a moment between looking and doing: rename(2) would overwrite, and
 * RENAME_NOREPLACE is not in `node:fs`. A hard link fails if anything is there.
 *
 * Without hard links (FAT, some network file systems) an empty file takes the place first and the file replaces it: a
 * reader may see the empty one for a moment, and a crash may leave it.
 *
 * @returns "linked": the file has both names and the first is to be taken away. "moved": it is gone already
 * @throws EEXIST if anything is there, a link that leads nowhere too
 */
export function placeNew(from: string, to: string): "linked" | "moved" {
  try {
    linkSync(from, to);
    return "linked";
  } catch (error) {
    if (!NO_LINKS.has(errnoOf(error))) throw error;
  }
  const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
  closeSync(openSync(to, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, 0o600));
  try {
    renameSync(from, to);
    return "moved";
  } catch (error) {
    unlinkSync(to);
    throw error;
  }
}
