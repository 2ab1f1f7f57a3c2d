import { realpathSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { stateFolder } from "./state-folder.ts";

/**
 * Nest's own files must not lie in the vault: who may read it would read the tokens, and who may write to it, though not
 * to `.pi` or `.git`, would write `agent.command`. Nor the vault among them.
 *
 * @throws {Exit} in one line
 */
export function keepApart({ file, vault, log }: Config): void {
  const root = realFolder(vault.path);
  const state = stateFolder(file);
  const own = [file, state, ...(log.audit === undefined ? [] : [log.audit])];
  const real = (path: string) => join(realFolder(dirname(path)), basename(path));
  const clash = own.find((path) => lies(real(path), root)) ?? (lies(root, real(state)) && state);
  if (clash) {
    throw new Exit(
      EXIT_USAGE,
      `Cannot use the vault "${vault.path}": it must not hold Nest's own "${clash}", nor lie in it. Set vault.path to a folder of its own`,
    );
  }
}

/** True if `path` is `folder` or below it, both absolute and without `/` at the end, but for the root. */
function lies(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? folder : `${folder}/`);
}

/** Without links, as far as it is there. */
function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}
