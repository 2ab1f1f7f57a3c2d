import { constants, openSync, type Stats } from "node:fs";
import type { Directory } from "./directory.ts";
import { errnoOf, specialFile, VaultError } from "./error.ts";
import { MET_LINK } from "./walk.ts";

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = constants;

/** What the vault knows to handle; everything else is special and refused. */
export type Kind = "file" | "dir" | "link";

export function kindOf(stats: Stats): Kind | undefined {
  if (stats.isFile()) return "file";
  if (stats.isDirectory()) return "dir";
  return stats.isSymbolicLink() ? "link" : undefined;
}

/** @throws {VaultError} `special_file` for FIFOs, sockets and devices, not one of which is opened to find out */
export function assertOrdinary(stats: Stats): Kind {
  const kind = kindOf(stats);
  if (kind === undefined) throw specialFile();
  return kind;
}

export function isAFolder(): VaultError {
  return new VaultError("is_a_directory", "Expected a file, found a folder");
}

/**
 * Opens for reading what should be a file. The caller makes sure of that by fstat: something else may have been put
 * there since it was looked at. Such a thing is opened without waiting for its other end (O_NONBLOCK) and without
 * becoming the terminal (O_NOCTTY); to plant a device, one has to be root already.
 */
export function openToRead(directory: Directory, name: string): number | typeof MET_LINK {
  try {
    return openSync(directory.at(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  } catch (error) {
    // O_NOFOLLOW met a link. POSIX says ELOOP, FreeBSD EMLINK.
    if (errnoOf(error) === "ELOOP" || errnoOf(error) === "EMLINK") return MET_LINK;
    throw error;
  }
}
