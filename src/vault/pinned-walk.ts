import { closeSync, constants, openSync } from "node:fs";

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY, O_NONBLOCK, O_NOCTTY } = constants;
/** open(2), Linux: the descriptor names the directory and nothing else can be done with it. Not in `node:fs`. */
const O_PATH = process.platform === "linux" ? 0o10000000 : 0;

/** A path that can't be followed inside the root; the message may be shown. */
export class PathRefused extends Error {
  override readonly name = "PathRefused";
}

/**
 * Opens a file below `root` for reading so that no folder on the way can be exchanged for a link in the meantime: each
 * folder is opened below the one before by its descriptor (`/proc/self/fd/N/name`), none of them followed if it is a
 * link, and so the file itself. Symbolic links are refused, inside ones too.
 *
 * FIFOs and devices are opened without waiting (O_NONBLOCK); the caller must `fstat` and read regular files only.
 *
 * @param components - names, none of them empty, `.` or `..`, none with a `/` or NUL
 * @returns a descriptor, to be closed by the caller
 * @throws {PathRefused} or the system's error
 */
export function openBelow(root: string, components: readonly string[]): number {
  if (O_PATH === 0) throw new PathRefused("reading images from the vault needs Linux");
  let directory = openSync(root, O_PATH | O_DIRECTORY);
  try {
    for (const name of components.slice(0, -1)) {
      const next = openSync(
        `/proc/self/fd/${directory}/${name}`,
        O_PATH | O_DIRECTORY | O_NOFOLLOW,
      );
      closeSync(directory);
      directory = next;
    }
    const last = components.at(-1);
    return openSync(
      `/proc/self/fd/${directory}/${last}`,
      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY,
    );
  } finally {
    closeSync(directory);
  }
}

/**
 * Splits a vault path into names.
 *
 * @throws {PathRefused} for an absolute path, `..`, a backslash, NUL and empty names
 */
export function componentsOf(path: string): string[] {
  const names = path.split("/");
  const isBad = (name: string) =>
    name === "" || name === "." || name === ".." || /[\\\0]/.test(name);
  if (path.length > 4000 || names.some(isBad)) {
    throw new PathRefused(
      'expected a relative path inside the vault, without "..", "\\" or empty names',
    );
  }
  return names;
}
