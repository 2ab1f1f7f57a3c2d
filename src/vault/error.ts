/** What the vault refuses, and the HTTP status that says so. Closed: a new refusal needs a row here. */
export const VAULT_STATUS = {
  /** `..`, an absolute path, a backslash, a link that leads outside, a loop of links. */
  path_escapes: 403,
  /** A FIFO, a socket or a device. */
  special_file: 403,
  /** Nest's own folder for unfinished writes. */
  reserved: 403,
  /** The caller may not touch this part of the vault. */
  protected_path: 403,
  /** The system denies it: mode bits, an immutable file. */
  permission: 403,
  /** A path that no file can have. */
  bad_path: 400,
  /** A text that can not be searched for. */
  bad_query: 400,
  not_found: 404,
  is_a_directory: 409,
  not_a_directory: 409,
  exists: 409,
  not_empty: 409,
  /** The vault's root can't be deleted, moved or replaced. */
  root_protected: 409,
  /** What is deleted lies in the trash already. */
  in_trash: 409,
  /** A folder can't go into itself. */
  into_itself: 409,
  /** The two ends lie on different file systems: no rename between them is atomic. */
  cross_device: 409,
  /** Something else kept changing it meanwhile. */
  busy: 409,
  precondition_failed: 412,
  too_large: 413,
  disk_full: 507,
  read_only: 403,
  /** The vault's folder was deleted under Nest, or can't be read any more. */
  vault_gone: 503,
  /** Too many open files, in the process or on the machine. */
  overloaded: 503,
} as const;

export type VaultErrorCode = keyof typeof VAULT_STATUS;

/** Refusals that only an attack, or something that looks like one, brings about. */
const VIOLATIONS: ReadonlySet<VaultErrorCode> = new Set([
  "path_escapes",
  "special_file",
  "reserved",
  "protected_path",
]);

/** A refusal of the vault. The message may be shown: it holds no path of the host, and never more than the caller sent. */
export class VaultError extends Error {
  override readonly name = "VaultError";
  readonly code: VaultErrorCode;

  constructor(code: VaultErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }

  get status(): number {
    return VAULT_STATUS[this.code];
  }

  /** Belongs into the security log, as `vault_violation`. */
  get isViolation(): boolean {
    return VIOLATIONS.has(this.code);
  }
}

/** What a system error means for the one who asked; anything else is our own mistake. errno(3). */
const BY_ERRNO: Readonly<Record<string, readonly [VaultErrorCode, string]>> = {
  ENOENT: ["not_found", "no such file or folder"],
  // `file/x`, and a folder on the way that was swapped for a link faster than it could be followed.
  ENOTDIR: ["not_found", "a file stands where a folder is meant"],
  ELOOP: ["path_escapes", "a link stands where none may"],
  EISDIR: ["is_a_directory", "it is a folder"],
  EEXIST: ["exists", "it exists"],
  ENOTEMPTY: ["not_empty", "the folder is not empty"],
  ENAMETOOLONG: ["bad_path", "the name is too long for this file system"],
  EILSEQ: ["bad_path", "this file system can't store such a name"],
  ENOSPC: ["disk_full", "the disk is full"],
  EDQUOT: ["disk_full", "the disk quota is used up"],
  EFBIG: ["too_large", "this file system can't store a file so large"],
  EROFS: ["read_only", "the file system is read-only"],
  EACCES: ["permission", "permission denied"],
  EPERM: ["permission", "the system does not permit it"],
  EXDEV: ["cross_device", "it lies on another file system"],
  EBUSY: ["busy", "it is in use"],
  ETXTBSY: ["busy", "it is in use"],
  // open(2): a socket, or a device without a driver.
  ENXIO: ["special_file", "not a regular file"],
  ENODEV: ["special_file", "not a regular file"],
  EMFILE: ["overloaded", "too many open files"],
  ENFILE: ["overloaded", "too many open files"],
};

export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/**
 * Puts an error of the system into the vault's words: `Cannot <do> "<path>": <state>`.
 *
 * @returns the refusal; or the very error, if it is none that the vault knows
 */
export function explained(error: unknown, doing: string, path: string): unknown {
  if (error instanceof VaultError) return error;
  const known = BY_ERRNO[errnoOf(error) ?? ""];
  if (known === undefined) return error;
  return new VaultError(known[0], `Cannot ${doing} ${JSON.stringify(path)}: ${known[1]}`, {
    cause: error,
  });
}

export function specialFile(): VaultError {
  return new VaultError("special_file", "Cannot use this: expected a file, found a FIFO or device");
}
