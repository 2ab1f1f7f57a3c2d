import { readdir } from "node:fs/promises";
import type { Gate } from "./access.ts";
import { errnoOf, VaultError } from "./error.ts";
import { type Root } from "./walk.ts";

/**
 * Asks the gate for everything below a folder: who moves or deletes `project` does so to `project/.git`.
 *
 * Looked at before it is done, so what others put there in between goes along. Whom the gate keeps out can't put there
 * what it keeps them out of, so they gain nothing by that.
 *
 * @param names - a folder; anything else has nothing below it
 * @throws {VaultError} what the gate throws
 */
export async function gateBelow(root: Root, names: readonly string[], gate: Gate): Promise<void> {
  if (names.length === 0) return;
  // A link is moved or deleted as such.
  const start = root.withParent(names, (directory, name, walked) =>
    directory.lstat(name).isDirectory() ? walked : undefined,
  );
  const open = start === undefined ? [] : [start];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    for (const dirent of await direntsIn(root, folder)) {
      const below = [...folder, dirent.name];
      gate(below);
      if (dirent.isDirectory()) open.push(below);
    }
  }
}

/** None, where it has gone or has become something else meanwhile. */
async function direntsIn(root: Root, names: readonly string[]) {
  try {
    const { directory } = root.openDirectory(names);
    try {
      return await readdir(directory.self, { withFileTypes: true });
    } finally {
      directory.close();
    }
  } catch (error) {
    const isGone =
      error instanceof VaultError ? error.code !== "vault_gone" : errnoOf(error) === "ENOENT";
    if (isGone) return [];
    throw error;
  }
}
