import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";

export interface AuditLogOptions {
  /** Absolute. */
  readonly path: string;
  /** Size at which a file is put aside, bytes · 10 MiB. */
  readonly maxBytes?: number;
  /** Files put aside that are kept (`path.1` is the youngest), count · 9. */
  readonly maxOld?: number;
}

const MAX_BYTES = 10 * 1024 * 1024;
const MAX_OLD = 9;

/**
 * The security log's file: lines are added at its end and never changed, mode 0600. When it is full it becomes
 * `path.1`, `path.1` becomes `path.2` and so on; the oldest goes. So it takes at most 100 MiB.
 *
 * Each line is given to the kernel in one write before this returns; it is not fsync'd, so a power cut can cost the
 * last seconds.
 */
export class AuditLog implements Disposable {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #maxOld: number;
  #descriptor: number;
  #bytes: number;

  /** @throws if the file can't be written to, or is none: a link, a folder, a pipe */
  constructor({ path, maxBytes = MAX_BYTES, maxOld = MAX_OLD }: AuditLogOptions) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#maxOld = maxOld;
    [this.#descriptor, this.#bytes] = open(path);
  }

  /**
   * Adds one line, its newline included.
   *
   * @throws if it can't be written: the disk is full; or written, but the file could not be put aside: the folder is
   * gone, no descriptor is left. Then it grows, and the next line tries again
   */
  append(line: string): void {
    const bytes = Buffer.from(line);
    try {
      if (this.#bytes > 0 && this.#bytes + bytes.length > this.#maxBytes) this.#rotate();
    } finally {
      this.#bytes += writeSync(this.#descriptor, bytes);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }

  #shift(): void {
    const old = (n: number) => `${this.#path}.${n}`;
    rmSync(old(this.#maxOld), { force: true });
    for (let n = this.#maxOld - 1; n >= 1; n--)
      if (existsSync(old(n))) renameSync(old(n), old(n + 1));
    if (this.#maxOld > 0) renameSync(this.#path, old(1));
    else rmSync(this.#path);
  }

  #rotate(): void {
    // Not there: taken away, or put aside by a turn that got no further. Then the old ones stay where they are, or each
    // line would push the last of them off the end.
    if (existsSync(this.#path)) this.#shift();
    const [descriptor, bytes] = open(this.#path);
    closeSync(this.#descriptor);
    this.#descriptor = descriptor;
    this.#bytes = bytes;
  }
}

/** Links are not followed: whoever can write to the folder could have it grow another file. */
function open(path: string): [descriptor: number, bytes: number] {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;
  const descriptor = openSync(path, O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_WRONLY, 0o600);
  const stat = fstatSync(descriptor);
  if (!stat.isFile()) {
    closeSync(descriptor);
    throw Object.assign(new Error("expected a regular file"), { code: "not a regular file" });
  }
  if ((stat.mode & 0o077) !== 0) fchmodSync(descriptor, 0o600);
  return [descriptor, stat.size];
}
