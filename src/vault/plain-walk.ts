import type { Directory } from "./directory.ts";
import { errnoOf } from "./error.ts";
import type { Root } from "./walk.ts";

/**
 * Opens a directory by names none of which may be a link: for those who go through the vault themselves and come to
 * whatever a link leads to by its own path.
 *
 * @returns nothing if there is no such directory now; to be closed by the caller
 * @throws the system's error, if it is another
 */
export function openPlain(root: Root, names: readonly string[]): Directory | undefined {
  if (names.length === 0) return root.openDirectory(names).directory;
  let directory = root.top;
  try {
    for (const name of names) {
      const next = directory.open(name);
      if (directory !== root.top) directory.close();
      if (next === undefined) return undefined;
      directory = next;
    }
    return directory;
  } catch (error) {
    if (directory !== root.top) directory.close();
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "EACCES") return undefined;
    throw error;
  }
}
