import type { NestApi } from "./nest-api.ts";
import { ApiFailure } from "./nest-api.ts";

/** What goes with the next prompt. */
export interface Attachment {
  /** Path in the vault, or the local file's name. */
  readonly name: string;
  /** As the `prompt` command takes it; absent for what is named in the text instead. */
  readonly image?: Readonly<Record<string, string>>;
}

export type ReadLocalFile = (path: string) => Uint8Array<ArrayBuffer> | undefined;

const IMAGE_TYPES: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
};
/** An image of at most this goes inline where the vault takes no files: a frame holds 1 MiB, base64 adds a third. */
const MAX_INLINE_BYTES = 700_000;

/**
 * A path that begins with `/`, `./`, `../` or `~/` is a file of this machine: it is put into the vault's `inbox` first.
 * Any other is one of the vault.
 *
 * @throws {Error} in words for people
 */
export async function attachment(
  path: string,
  api: NestApi,
  readLocalFile: ReadLocalFile,
): Promise<Attachment> {
  if (!/^(?:\/|\.\.?\/|~\/)/.test(path)) {
    const inVault = path.replace(/^@/, "");
    return { name: inVault, ...(mimeType(inVault) !== undefined && { image: { vault: inVault } }) };
  }
  const content = readLocalFile(path);
  if (content === undefined) throw new Error(`Cannot read "${path}"`);
  const plain = path.slice(path.lastIndexOf("/") + 1);
  const type = mimeType(plain);
  const target = `inbox/${plain}`;
  try {
    await api.put(target, content);
    return { name: target, ...(type !== undefined && { image: { vault: target } }) };
  } catch (error) {
    if (!(error instanceof ApiFailure)) throw error;
    if (error.status === 412)
      throw new Error(`"${target}" is in the vault already`, { cause: error });
    if (type === undefined || content.length > MAX_INLINE_BYTES)
      throw new Error(`Cannot put "${target}" into the vault: ${error.message}`, { cause: error });
    return { name: plain, image: { type: "image", mimeType: type, data: content.toBase64() } };
  }
}

function mimeType(name: string): string | undefined {
  return IMAGE_TYPES[/\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase() ?? ""];
}
