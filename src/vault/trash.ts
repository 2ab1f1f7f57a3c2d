import { mkdirSync, rmdirSync } from "node:fs";
import type { Directory } from "./directory.ts";
import { VaultError } from "./error.ts";
import { MAX_PATH_BYTES } from "./path.ts";
import { ownFolder, unguessable } from "./unfinished.ts";
import type { Root } from "./walk.ts";

/** What was deleted lies here; ordinary files below an ordinary folder, to be looked at, moved back or deleted. */
export const TRASH_FOLDER = ".trash";

/** Folders of the way to a deleted thing that are made again in the trash; deeper ones are left out. */
const MAX_DEPTH = 32;

/**
 * A new place in the trash, `.trash/<time>-<random>/<path as it was>`: names stay whole (they may have 255 bytes
 * already), the way back can be read off, and nothing that was deleted before can be in the way.
 *
 * @param names - the path of what is to be deleted, without links
 * @param use - moves it to a name in a folder
 * @returns the path it has in the trash
 */
export function withTrash(
  root: Root,
  names: readonly string[],
  wallMs: number,
  use: (folder: Directory, name: string) => void,
): string[] {
  const time = new Date(wallMs).toISOString().slice(0, 19).replaceAll(":", "-");
  const id = `${time}Z-${unguessable().slice(0, 12)}`;
  let path = [TRASH_FOLDER, id, ...names];
  const isLong = Buffer.byteLength(path.join("/")) > MAX_PATH_BYTES;
  if (isLong || names.length > MAX_DEPTH) path = [TRASH_FOLDER, id, ...names.slice(-1)];
  using trash = ownFolder(root, TRASH_FOLDER, 0o777);
  let folder = trash;
  try {
    for (const name of path.slice(1, -1)) {
      mkdirSync(folder.at(name));
      const next = folder.open(name);
      if (folder !== trash) folder.close();
      folder = trash;
      if (next === undefined) throw new VaultError("busy", "The trash was replaced: try again");
      folder = next;
    }
    use(folder, path.at(-1) as string);
  } catch (error) {
    removeEmpty(root, path.slice(0, -1));
    throw error;
  } finally {
    if (folder !== trash) folder.close();
  }
  return path;
}

/** Takes back the folders of a place that was not used. */
function removeEmpty(root: Root, path: readonly string[]): void {
  try {
    for (let depth = path.length; depth > 1; depth--) {
      root.withParent(path.slice(0, depth), (folder, name) => rmdirSync(folder.at(name)));
    }
  } catch {
    // Of no use, but in nobody's way.
  }
}

/** Whether a path lies in the trash, or is the trash. */
export function isInTrash(names: readonly string[]): boolean {
  return names[0] === TRASH_FOLDER;
}
