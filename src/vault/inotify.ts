import { dlopen } from "bun:ffi";
import { closeSync, readSync } from "node:fs";
import { errnoOf } from "./error.ts";
import { nameFromBytes } from "./path.ts";

/** inotify(7), uapi/linux/inotify.h. */
const IN = {
  modify: 0x2,
  attrib: 0x4,
  closeWrite: 0x8,
  movedFrom: 0x40,
  movedTo: 0x80,
  create: 0x100,
  delete: 0x200,
  queueOverflow: 0x4000,
  ignored: 0x8000,
  onlyDirectories: 0x0100_0000,
  exclUnlink: 0x0400_0000,
} as const;

const MASK =
  IN.modify |
  IN.attrib |
  IN.closeWrite |
  IN.movedFrom |
  IN.movedTo |
  IN.create |
  IN.delete |
  IN.onlyDirectories |
  IN.exclUnlink;

/** O_NONBLOCK | O_CLOEXEC, the same on x64 and arm64: reading never waits, and no child inherits it. */
const INIT_FLAGS = 0o4000 | 0o2000000;

/** Where glibc and musl keep their C library. */
const LIBC = [
  "libc.so.6",
  `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`,
  "libc.so",
];

/** An event's header: wd, mask, cookie, length of the name, four bytes each. */
const HEADER_BYTES = 16;
const BUFFER_BYTES = 64 * 1024;
/** Reads in one go: more than the kernel's queue holds by default (16,384 events of 32 bytes). */
const MAX_READS = 16;

/** What happened to a name in a watched directory. */
export interface InotifyEvent {
  readonly wd: number;
  readonly name: string;
  /** The content was written to. */
  readonly isWrite: boolean;
}

export interface InotifyReader {
  event(event: InotifyEvent): void;
  /** The system has dropped this watch: the directory is gone. */
  ended(wd: number): void;
  /** The queue was full: what happened since is not known. */
  lost(): void;
}

/**
 * inotify(7), spoken to directly: one descriptor for any number of directories.
 *
 * Not `fs.watch`: on Bun 1.4.5 it finds watches by path, so a folder that is made where another one was is not watched
 * while the moved one goes on being told under the old name, and with `recursive` it follows whatever stands at the path
 * when it gets there (docs/decisions.md has the measurements).
 */
export class Inotify {
  readonly #descriptor: number;
  readonly #libc: Libc;
  readonly #buffer = Buffer.allocUnsafe(BUFFER_BYTES);

  private constructor(descriptor: number, libc: Libc) {
    this.#descriptor = descriptor;
    this.#libc = libc;
  }

  /** @returns nothing where there is none: another system, an unknown C library, the user's instances used up */
  static open(): Inotify | undefined {
    if (process.platform !== "linux") return undefined;
    const libc = openLibc();
    const descriptor = libc?.symbols.inotify_init1(INIT_FLAGS) ?? -1;
    if (libc !== undefined && descriptor >= 0) return new Inotify(descriptor, libc);
    libc?.close();
    return undefined;
  }

  /**
   * Watches a directory.
   *
   * @param path - followed: name a pinned directory (`/proc/self/fd/N/.`)
   * @returns the watch's number, the same one for the same directory; nothing if the user's watches are used up
   */
  add(path: string): number | undefined {
    const wd = this.#libc.symbols.inotify_add_watch(
      this.#descriptor,
      Buffer.from(`${path}\0`),
      MASK,
    );
    return wd < 0 ? undefined : wd;
  }

  remove(wd: number): void {
    this.#libc.symbols.inotify_rm_watch(this.#descriptor, wd);
  }

  /** Hands over what has happened, without waiting. Names that are no UTF-8 are left out. */
  read(reader: InotifyReader): void {
    for (let i = 0; i < MAX_READS; i++) {
      let length: number;
      try {
        length = readSync(this.#descriptor, this.#buffer);
      } catch (error) {
        if (errnoOf(error) === "EAGAIN") return;
        throw error;
      }
      this.#parse(length, reader);
    }
  }

  #parse(length: number, reader: InotifyReader): void {
    const buffer = this.#buffer;
    for (let at = 0; at + HEADER_BYTES <= length;) {
      const wd = buffer.readInt32LE(at);
      const mask = buffer.readUInt32LE(at + 4);
      const end = at + HEADER_BYTES + buffer.readUInt32LE(at + 12);
      if ((mask & IN.queueOverflow) !== 0) reader.lost();
      else if ((mask & IN.ignored) !== 0) reader.ended(wd);
      else {
        // Padded with NULs.
        const nul = buffer.indexOf(0, at + HEADER_BYTES);
        const name = nameFromBytes(
          buffer.subarray(at + HEADER_BYTES, nul >= 0 && nul < end ? nul : end),
        );
        // No name: the directory itself, whose parent tells of it.
        if (name) reader.event({ wd, name, isWrite: (mask & (IN.modify | IN.closeWrite)) !== 0 });
      }
      at = end;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
    this.#libc.close();
  }
}

type Libc = ReturnType<typeof load>;

function openLibc(): Libc | undefined {
  for (const name of LIBC) {
    try {
      return load(name);
    } catch {
      // Not this one.
    }
  }
  return undefined;
}

function load(name: string) {
  return dlopen(name, {
    inotify_init1: { args: ["i32"], returns: "i32" },
    inotify_add_watch: { args: ["i32", "ptr", "u32"], returns: "i32" },
    inotify_rm_watch: { args: ["i32", "i32"], returns: "i32" },
  });
}
