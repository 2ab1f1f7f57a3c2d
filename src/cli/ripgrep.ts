import { realpathSync } from "node:fs";
import { isAbsolute } from "node:path";

/**
 * Where ripgrep is installed. One that lies in the vault is not run: the agent could have put it there.
 *
 * @returns its absolute path, links followed
 */
export function findRipgrep(searchPath: string | undefined, vault: string): string | undefined {
  // Not the current folder either, which is what relative and empty entries mean.
  const folders = (searchPath ?? "").split(":").filter(isAbsolute);
  const found = Bun.which("rg", { PATH: folders.join(":"), cwd: "/" });
  if (found === null) return undefined;
  try {
    const program = realpathSync(found);
    return `${program}/`.startsWith(`${realpathSync(vault)}/`) ? undefined : program;
  } catch {
    return undefined;
  }
}
