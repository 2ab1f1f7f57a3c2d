import { closeSync, fstatSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { rm } from "node:fs/promises";
import type { Directory } from "./directory.ts";
import { errnoOf } from "./error.ts";
import { readWhole } from "./etag.ts";
import { openToRead } from "./kind.ts";
import { parsePath } from "./path.ts";
import { NEAR_PREFIX, NOTE_SUFFIX, UNFINISHED_FOLDER } from "./unfinished.ts";
import { MET_LINK, type Root } from "./walk.ts";

/** A path as JSON: every byte of it may be escaped. */
const MAX_NOTE_BYTES = 32 * 1024;
const NEAR_NAME = new RegExp(`^${RegExp.escape(NEAR_PREFIX)}[0-9a-f]{32}$`);

/**
 * Removes what a crash left unfinished, and the folder for it. To be called at the start: what there is is known before
 * this returns its promise, and nothing begun later is touched. One Nest has one vault: what another one is writing would
 * go too.
 *
 * @returns how many there were
 */
export async function sweep(root: Root): Promise<number> {
  const folder = openFolder(root);
  if (folder === undefined) return 0;
  try {
    const names = readdirSync(folder.self);
    for (const name of names) if (name.endsWith(NOTE_SUFFIX)) removeNear(root, folder, name);
    // A folder that was being deleted for good: `rm` goes down by descriptors and follows no link.
    for (const name of names) await rm(folder.at(name), { recursive: true, force: true });
    removeIfEmpty(root);
    return names.length;
  } finally {
    folder.close();
  }
}

/**
 * Removes the file that a note tells of. A forged note can't do more than that: no other names are removed, and none
 * outside.
 */
function removeNear(root: Root, folder: Directory, note: string): void {
  try {
    const descriptor = openToRead(folder, note);
    if (descriptor === MET_LINK) return;
    let text: string;
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) return;
      text = new TextDecoder().decode(readWhole(descriptor, Math.min(stats.size, MAX_NOTE_BYTES)));
    } finally {
      closeSync(descriptor);
    }
    const names: unknown = JSON.parse(text);
    if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) return;
    const path = parsePath(names.join("/"));
    root.withParent(path.names, (directory, name) => {
      if (NEAR_NAME.test(name)) unlinkSync(directory.at(name));
    });
  } catch {
    // Gone already, or no note of ours.
  }
}

function removeIfEmpty(root: Root): void {
  try {
    rmdirSync(root.top.at(UNFINISHED_FOLDER));
  } catch (error) {
    // Something has been begun meanwhile.
    if (errnoOf(error) !== "ENOTEMPTY" && errnoOf(error) !== "ENOENT") throw error;
  }
}

function openFolder(root: Root) {
  try {
    return root.top.open(UNFINISHED_FOLDER);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return undefined;
    throw error;
  }
}
