import { linkSync, lstatSync, mkdirSync, renameSync, rmdirSync, unlinkSync } from "node:fs";
import type { Gate } from "./access.ts";
import type { Directory } from "./directory.ts";
import { errnoOf, VaultError } from "./error.ts";
import { FolderMaker } from "./folder-maker.ts";
import { isAFolder } from "./kind.ts";
import type { VaultPath } from "./path.ts";
import { placeNew } from "./place-new.ts";
import { assertMayMove } from "./removing.ts";
import { withTrash } from "./trash.ts";
import { unguessable, withUnfinished } from "./unfinished.ts";
import type { Root } from "./walk.ts";

/**
 * Moves a file, a link (not what it leads to) or a folder. The folders on the way are made.
 *
 * Without `overwrite` nothing is ever overwritten, whatever others put there meanwhile. With it, what is there is
 * replaced in one step: a file by a file, an empty folder by a folder.
 *
 * A file has both names for a moment, and after a crash in that moment; never none.
 */
export async function move(
  root: Root,
  from: VaultPath,
  to: VaultPath,
  overwrite: boolean,
  wallMs: number,
  gate: Gate,
): Promise<void> {
  if (to.names.length === 0 || from.names.length === 0) {
    throw new VaultError("root_protected", "Cannot move or replace the vault's root");
  }
  const folders = new FolderMaker(root, gate);
  const syncs: Promise<void>[] = [];
  const attempt = () =>
    root.withParent(from.names, (source, sourceName, sourceNames) => {
      gate(sourceNames);
      const stats = source.lstat(sourceName);
      assertMayMove(root, from, sourceNames, stats);
      if (to.isFolder && !stats.isDirectory()) {
        throw new VaultError("not_a_directory", "Cannot give a file the path of a folder");
      }
      return withTarget(() =>
        root.withParent(to.names, (target, targetName, targetNames) => {
          gate(targetNames);
          if (isBelow(targetNames, sourceNames)) {
            throw new VaultError("into_itself", "Cannot move a folder into itself");
          }
          const existing = target.lstatIfAny(targetName);
          if (existing !== undefined) {
            assertMayMove(root, { names: to.names, isFolder: false }, targetNames, existing);
            if (!overwrite) throw new VaultError("exists", "Something has this name already");
            if (existing.isDirectory() && !stats.isDirectory()) throw isAFolder();
            if (stats.isDirectory() && !existing.isDirectory()) {
              throw new VaultError("not_a_directory", "Cannot put a folder in the place of a file");
            }
          }
          if (overwrite) renameSync(source.at(sourceName), target.at(targetName));
          else if (stats.isDirectory()) moveFolder(source, sourceName, target, targetName);
          else moveFile(root, source, sourceName, sourceNames, target, targetName, wallMs);
          syncs.push(target.sync(), source.sync());
          return true;
        }),
      );
    });
  if (!attempt()) {
    folders.make(to.names.slice(0, -1));
    if (!attempt()) throw new VaultError("busy", "The folder was removed meanwhile: try again");
  }
  await Promise.all([...syncs, folders.synced()]);
}

/** @returns false if the way to the target is not there */
function withTarget(act: () => boolean): boolean {
  try {
    return act();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return false;
    throw error;
  }
}

function isBelow(names: readonly string[], folder: readonly string[]): boolean {
  return names.length > folder.length && folder.every((name, at) => names[at] === name);
}

/** A folder replaces an empty folder in one step (rename(2)): one of ours takes the place first. */
function moveFolder(source: Directory, from: string, target: Directory, to: string): void {
  mkdirSync(target.at(to), { mode: 0o700 });
  try {
    renameSync(source.at(from), target.at(to));
  } catch (error) {
    try {
      rmdirSync(target.at(to));
    } catch {
      // Somebody has put something there.
    }
    if (errnoOf(error) === "ENOTEMPTY") {
      throw new VaultError("exists", "Something has this name already", { cause: error });
    }
    throw error;
  }
}

/**
 * Gives a file its new name, then takes the old one away; but only if it is still this file's. It is taken away first
 * and looked at then: what somebody put there meanwhile goes back, or into the trash if the name is taken again.
 */
function moveFile(
  root: Root,
  source: Directory,
  from: string,
  fromNames: readonly string[],
  target: Directory,
  to: string,
  wallMs: number,
): void {
  // The folder comes first: if it can't be had, nothing has been done.
  withUnfinished(root, (folder) => {
    if (placeNew(source.at(from), target.at(to)) === "moved") return;
    const moved = target.lstatIfAny(to);
    const taken = folder.at(unguessable());
    try {
      renameSync(source.at(from), taken);
    } catch (error) {
      // Somebody else has taken it away.
      if (errnoOf(error) === "ENOENT") return;
      // A mount inside the vault: looked at and then taken away, as well as it goes.
      if (errnoOf(error) !== "EXDEV") throw error;
      const there = source.lstatIfAny(from);
      if (there?.ino === moved?.ino && there?.dev === moved?.dev) unlinkSync(source.at(from));
      return;
    }
    const other = lstatSync(taken);
    if (moved === undefined || (other.ino === moved.ino && other.dev === moved.dev)) {
      unlinkSync(taken);
      return;
    }
    try {
      linkSync(taken, source.at(from));
      unlinkSync(taken);
    } catch {
      withTrash(root, fromNames, wallMs, (trash, name) => renameSync(taken, trash.at(name)));
    }
  });
}
