import { VaultError } from "./error.ts";

/** Longest name, bytes of UTF-8: NAME_MAX of Linux and macOS. */
const MAX_NAME_BYTES = 255;
/** Longest path, bytes of UTF-8: below Linux's PATH_MAX of 4096. */
export const MAX_PATH_BYTES = 4000;

/** A path that has been looked at: nothing but names. */
export interface VaultPath {
  /** None is empty, `.` or `..`, none holds `/`, `\` or NUL. No names at all: the vault's root. */
  readonly names: readonly string[];
  /** It ended in `/`: a folder is meant. */
  readonly isFolder: boolean;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Decodes the percent signs of a path, once, as bytes of UTF-8.
 *
 * @throws {VaultError} `bad_path` for a broken escape and for bytes that are no UTF-8
 */
export function decodePath(encoded: string): string {
  if (!encoded.includes("%")) return encoded;
  try {
    return decodeURIComponent(encoded);
  } catch {
    throw new VaultError("bad_path", "Cannot decode the path: expected UTF-8, percent-encoded");
  }
}

/**
 * The one parser of vault paths. What is not in canonical form is refused, not repaired: two spellings of one path are
 * two chances to slip past whoever compares them.
 *
 * - `..` anywhere, a leading `/`, a backslash (Windows' `/`): 403, they are attempts to leave.
 * - NUL, lone surrogates, a name over 255 bytes, a path over 4,000: 400, no file can have them.
 * - Empty names (`a//b`) and `.`: 400. A single `/` at the end means a folder.
 * - The empty path is the root. Case, Unicode normal forms, control characters and newlines are left as they are.
 *
 * @param text - decoded already; a `%` is a percent sign
 * @throws {VaultError} `path_escapes`, `bad_path`
 */
export function parsePath(text: string): VaultPath {
  if (text === "") return { names: [], isFolder: true };
  if (text.length > MAX_PATH_BYTES) throw badPath("longer than 4,000 bytes");
  const names = text.split("/");
  const isFolder = names.length > 1 && names.at(-1) === "";
  if (names[0] === "") throw escapes("it is absolute");
  if (isFolder) names.pop();
  for (const name of names) {
    if (name === "..") throw escapes('it holds ".."');
  }
  if (text.includes("\\")) throw escapes("it holds a backslash");
  if (text.includes("\0")) throw badPath("it holds a NUL");
  if (!text.isWellFormed()) throw badPath("not valid Unicode");
  for (const name of names) {
    if (name === "") throw badPath("it holds an empty name");
    if (name === ".") throw badPath('it holds "."');
    // A UTF-16 unit makes three bytes at most.
    if (name.length * 3 > MAX_NAME_BYTES && Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw badPath("a name is longer than 255 bytes");
    }
  }
  if (text.length * 3 > MAX_PATH_BYTES && Buffer.byteLength(text) > MAX_PATH_BYTES) {
    throw badPath("longer than 4,000 bytes");
  }
  return { names, isFolder };
}

/** For names that come as bytes; those that are no UTF-8 can't be named over the API. */
export function nameFromBytes(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function escapes(what: string): VaultError {
  return new VaultError(
    "path_escapes",
    `Cannot use this path: ${what}; expected one inside the vault`,
  );
}

function badPath(what: string): VaultError {
  return new VaultError("bad_path", `Cannot use this path: ${what}`);
}
