import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "./temp-dir.ts";

/** A file system of its own of this size; nothing if we may not mount (not root, or a container that forbids it). */
export function mountTmpfs(path: string, size: string): Disposable | undefined {
  mkdirSync(path, { recursive: true });
  const { exitCode } = Bun.spawnSync(
    ["mount", "-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path],
    {
      stderr: "ignore",
    },
  );
  if (exitCode !== 0) return undefined;
  return { [Symbol.dispose]: () => void Bun.spawnSync(["umount", "-l", path]) };
}

export const canMount = (() => {
  using dir = tempDir();
  using mounted = process.getuid?.() === 0 ? mountTmpfs(join(dir.path, "m"), "64k") : undefined;
  return mounted !== undefined;
})();
