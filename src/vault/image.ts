import { VaultError, type VaultErrorCode } from "./error.ts";
import type { Vault } from "./vault.ts";

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

/** An image that can't be handed to the agent; the message may be shown. */
export class ImageRefused extends Error {
  override readonly name = "ImageRefused";
}

/**
 * Reads images that a prompt names by their path in the vault.
 *
 * Synchronous: a prompt must reach the agent before the command that came after it.
 *
 * @returns a reader that throws {@link ImageRefused} with a message fit to be shown
 */
export function imageReader(vault: Vault): (path: string) => VaultImage {
  return (path) => {
    const mimeType = MIME_TYPES.get(/\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase() ?? "");
    if (mimeType === undefined)
      throw new ImageRefused(`Cannot attach "${path}": expected a png, jpeg, gif or webp file`);
    try {
      const data = vault.readNow(path, { maxBytes: MAX_IMAGE_BYTES }).toBase64();
      return { type: "image", mimeType, data };
    } catch (error) {
      const code = error instanceof VaultError ? error.code : undefined;
      throw new ImageRefused(`Cannot attach "${path}": ${explain(code)}`, { cause: error });
    }
  };
}

function explain(code: VaultErrorCode | undefined): string {
  switch (code) {
    case "not_found":
      return "no such file in the vault";
    case "path_escapes":
      return "the path leads out of the vault";
    case "bad_path":
      return "no file can have this path";
    case "is_a_directory":
    case "special_file":
      return "not a regular file";
    case "too_large":
      return `more than ${MAX_IMAGE_BYTES} bytes`;
    default:
      return "it can't be read";
  }
}
