import { readdirSync, rmdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { errnoOf } from "./error.ts";
import { UNFINISHED_FOLDER } from "./unfinished.ts";
import type { Root } from "./walk.ts";

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
    // A folder that was being deleted for good: `rm` goes down by descriptors and follows no link.
    for (const name of names) await rm(folder.at(name), { recursive: true, force: true });
    rmdirSync(root.top.at(UNFINISHED_FOLDER));
    return names.length;
  } catch (error) {
    if (errnoOf(error) === "ENOTEMPTY") return 0;
    throw error;
  } finally {
    folder.close();
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
