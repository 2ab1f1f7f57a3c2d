import { renameSync, type Stats, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Gate } from "./access.ts";
import type { Directory } from "./directory.ts";
import { errnoOf, VaultError } from "./error.ts";
import { assertOrdinary } from "./kind.ts";
import type { VaultPath } from "./path.ts";
import { assertFolderIfMeant } from "./reading.ts";
import { isInTrash, withTrash } from "./trash.ts";
import { unguessable, withUnfinished } from "./unfinished.ts";
import { MET_LINK, type Root } from "./walk.ts";

export interface RemoveOptions {
  /** A folder goes with all that is in it; otherwise folders stay, empty ones too. */
  readonly recursive?: boolean;
  /** Not into the trash. */
  readonly permanent?: boolean;
}

/**
 * Deletes a file, a link (not what it leads to) or a folder, in one step as others see it.
 *
 * @param wallMs - for the name in the trash
 * @returns the path in the trash, nothing if it is gone for good
 */
export async function remove(
  root: Root,
  path: VaultPath,
  { recursive = false, permanent = false }: RemoveOptions,
  wallMs: number,
  gate: Gate,
): Promise<string[] | undefined> {
  const syncs: Promise<void>[] = [];
  const outcome = root.withParent(path.names, (directory, name, names) => {
    gate(names);
    const stats = directory.lstat(name);
    assertMayMove(root, path, names, stats);
    if (stats.isDirectory() && !recursive) {
      throw new VaultError("is_a_directory", "Cannot delete a folder unless asked for all in it");
    }
    if (!permanent && isInTrash(names)) {
      throw new VaultError("in_trash", "It is in the trash already: delete it permanently");
    }
    const result = permanent
      ? removeNow(root, directory, name, stats)
      : withTrash(root, names, wallMs, (folder, nameThere) => {
          renameSync(directory.at(name), folder.at(nameThere));
          syncs.push(folder.sync());
        });
    syncs.push(directory.sync());
    return result;
  });
  const done = Promise.all(syncs);
  done.catch(() => {});
  if (outcome !== undefined && !Array.isArray(outcome)) await removeTree(outcome);
  await done;
  return Array.isArray(outcome) ? outcome : undefined;
}

/**
 * Whether a thing may be moved or deleted as such: an ordinary one, a folder if a folder is named, and a link only if it
 * leads inside. That a link is looked at now and moved then is no hole: moved is the link, wherever it leads.
 */
export function assertMayMove(
  root: Root,
  path: VaultPath,
  names: readonly string[],
  stats: Stats,
): void {
  assertOrdinary(stats);
  assertFolderIfMeant(path, stats);
  if (stats.isSymbolicLink()) assertLinkInside(root, names);
}

function assertLinkInside(root: Root, names: readonly string[]): void {
  try {
    root.withParent(names, (directory, name) =>
      directory.lstat(name).isSymbolicLink() ? MET_LINK : undefined,
    );
  } catch (error) {
    // One that leads to the root, to nothing or through a file leads nowhere outside.
    if (error instanceof VaultError && error.code !== "path_escapes") return;
    if (errnoOf(error) === "ENOENT") return;
    throw error;
  }
}

/** A folder to be removed with all that is in it, by its name in a directory held open. */
interface Doomed {
  readonly directory: Directory;
  readonly name: string;
}

/** @returns what is still to be removed, if it is a folder: out of sight already, where a start sweeps it after a crash */
function removeNow(
  root: Root,
  directory: Directory,
  name: string,
  stats: Stats,
): Doomed | undefined {
  if (!stats.isDirectory()) {
    unlinkSync(directory.at(name));
    return undefined;
  }
  const id = unguessable();
  try {
    return withUnfinished(root, (folder) => {
      renameSync(directory.at(name), folder.at(id));
      return { directory: folder.own(), name: id };
    });
  } catch (error) {
    // A mount inside the vault: it goes where it is.
    if (errnoOf(error) !== "EXDEV") throw error;
    return { directory: directory.own(), name };
  }
}

/** `rm` goes down by descriptors and follows no link. */
async function removeTree({ directory, name }: Doomed): Promise<void> {
  try {
    await rm(directory.at(name), { recursive: true, force: true });
  } finally {
    directory.close();
  }
}
