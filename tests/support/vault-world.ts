import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** Stands in every file outside of the vault, and in none inside. */
export const SECRET = "TOP-SECRET-OUTSIDE";
export const INSIDE = "inside the vault";

/** A vault and what lies around it. */
export interface World {
  /** The folder that all of it lies in. */
  readonly dir: string;
  readonly vault: string;
  readonly outside: string;
}

export function worldIn(dir: string): World {
  return { dir, vault: join(dir, "vault"), outside: join(dir, "outside") };
}

/** Brings everything back to how it begins; the vault's own folder stays the same one. */
export function plantWorld({ dir, vault, outside }: World): void {
  mkdirSync(vault, { recursive: true });
  for (const name of readdirSync(vault)) rmSync(join(vault, name), { recursive: true });
  mkdirSync(join(vault, "sub"));
  writeFileSync(join(vault, "note.md"), INSIDE);
  writeFileSync(join(vault, "sub", "inner.md"), INSIDE);
  for (const folder of [outside, join(dir, "vault-secret")]) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(join(folder, "folder"), { recursive: true });
    writeFileSync(join(folder, "secret.txt"), SECRET);
    writeFileSync(join(folder, "folder", "deep.txt"), SECRET);
  }
}

/** What is in the vault: paths, modes, contents and where links lead. Not what Nest makes for itself. */
export function insideState({ vault }: World): string {
  return look(vault, () => true, false)
    .filter((line) => !/^\S+\/vault\/\.nest-tmp \d+$/.test(line))
    .join("\n");
}

/** All that lies around the vault: names, kinds, modes, contents, and times, so that what came and went shows too. */
export function outsideState({ dir, vault }: World): string {
  return look(dir, (path) => path !== vault).join("\n");
}

/** Whether something secret has found its way in. Links are not followed. */
export function hasSecretInside({ vault }: World): boolean {
  return existsSync(vault) && look(vault, () => true).some((line) => line.includes(SECRET));
}

function look(path: string, isWanted: (path: string) => boolean, hasTimes = true): string[] {
  return readdirSync(path)
    .map((name) => join(path, name))
    .filter(isWanted)
    .flatMap((child) => {
      let stats;
      try {
        stats = lstatSync(child);
      } catch {
        // Longer than the host's own paths may be, or no UTF-8.
        return [];
      }
      const line: unknown[] = [child, stats.mode];
      if (hasTimes) line.push(stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs);
      if (stats.isDirectory()) return [line.join(" ")].concat(look(child, isWanted, hasTimes));
      if (stats.isSymbolicLink()) line.push(readlinkSync(child));
      else if (stats.isFile() && stats.size < 10_000) line.push(readFileSync(child, "utf8"));
      return line.join(" ");
    });
}
