import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

/** Entries looked at, count: a larger vault is reported as what was seen of it. */
const MAX_ENTRIES = 500_000;
/** How long an answer is good, ms. */
const FRESH_MS = 60_000;

/**
 * The size of the vault's files in bytes, for the owner's metrics. Links are counted as links, never followed.
 *
 * (A folder that the agent exchanges for a link in that very moment is; all that comes out is a sum.)
 *
 * It is walked when somebody asks and at most once a minute, beside everything else; the answer is the one of the walk
 * before, `undefined` until there is one. A number to watch, not one to decide by.
 */
export function vaultSize(root: string, monotonicMs: () => number): () => number | undefined {
  let bytes: number | undefined;
  let walkedMs = Number.NEGATIVE_INFINITY;
  let isWalking = false;
  return () => {
    if (!isWalking && monotonicMs() - walkedMs > FRESH_MS) {
      isWalking = true;
      void sizeOf(root)
        .then((size) => (bytes = size))
        .catch(() => {})
        .finally(() => {
          isWalking = false;
          walkedMs = monotonicMs();
        });
    }
    return bytes;
  };
}

async function sizeOf(root: string): Promise<number> {
  let bytes = 0;
  let seen = 0;
  const folders = [root];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const entries = await opendir(folder).catch(() => undefined);
    if (entries === undefined) continue;
    for await (const entry of entries) {
      if (++seen > MAX_ENTRIES) return bytes;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) folders.push(path);
      else if (entry.isFile()) bytes += (await lstat(path).catch(() => undefined))?.size ?? 0;
    }
  }
  return bytes;
}
