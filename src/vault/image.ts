import { closeSync, fstatSync, readSync } from "node:fs";
import { componentsOf, openBelow, PathRefused } from "./pinned-walk.ts";

/** An image as the agent takes it. */
export interface VaultImage {
  readonly type: "image";
  readonly mimeType: "image/png" | "image/jpeg" | "image/gif" | "image/webp";
  /** Base64. */
  readonly data: string;
}

/** Largest image handed to the agent, bytes: model providers take no larger ones, and it is read in one turn. */
const MAX_IMAGE_BYTES = 5 * 1024 * 1024;

const MIME_TYPES: ReadonlyMap<string, VaultImage["mimeType"]> = new Map(
  Object.entries({
    png: "image/png",
    jpg: "image/jpeg",
    jpeg: "image/jpeg",
    gif: "image/gif",
    webp: "image/webp",
  } as const),
);

/**
 * Reads images that a prompt names by their path in the vault.
 *
 * Synchronous: a prompt must reach the agent before the command that came after it.
 *
 * @param root - the vault, absolute
 * @returns a reader that throws {@link PathRefused} with a message fit to be shown
 */
export function imageReader(root: string): (path: string) => VaultImage {
  return (path) => {
    const mimeType = MIME_TYPES.get(/\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? "");
    if (mimeType === undefined)
      throw new PathRefused(`Cannot attach "${path}": expected a png, jpeg, gif or webp file`);
    let descriptor: number | undefined;
    try {
      descriptor = openBelow(root, componentsOf(path));
      const stat = fstatSync(descriptor);
      if (!stat.isFile()) throw new PathRefused("not a regular file");
      if (stat.size > MAX_IMAGE_BYTES) throw new PathRefused(`more than ${MAX_IMAGE_BYTES} bytes`);
      return { type: "image", mimeType, data: readExactly(descriptor, stat.size).toBase64() };
    } catch (error) {
      const reason =
        error instanceof PathRefused
          ? error.message
          : explain((error as NodeJS.ErrnoException).code);
      throw new PathRefused(`Cannot attach "${path}": ${reason}`);
    } finally {
      if (descriptor !== undefined) closeSync(descriptor);
    }
  };
}

/** Not more than was checked, should the file grow meanwhile. */
function readExactly(descriptor: number, bytes: number): Uint8Array {
  const buffer = new Uint8Array(bytes);
  return buffer.subarray(0, readSync(descriptor, buffer, 0, bytes, 0));
}

function explain(code: string | undefined): string {
  switch (code) {
    case "ENOENT":
      return "no such file in the vault";
    case "ELOOP":
    case "ENOTDIR":
      return "a symbolic link or a file stands in the path";
    default:
      return "it can't be read";
  }
}
