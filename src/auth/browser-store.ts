import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  unlinkSync,
  writeSync,
} from "node:fs";

/** One browser's token, as it is kept: nothing in here opens anything. */
export interface BrowserRecord {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the token, hex. */
  readonly digest: string;
  /** SHA-256 of the configured token that it was exchanged for, hex. */
  readonly parent: string;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  readonly expiresMs: number;
}

export interface BrowserStore {
  load(): BrowserRecord[];
  save(records: readonly BrowserRecord[]): void;
}

const HASH = /^[0-9a-f]{64}$/;
/** Records read from a file, count. */
const MAX_RECORDS = 4096;

/**
 * Browser tokens in a JSON file of mode 0600, replaced whole: a reader sees the old or the new one, also after a crash.
 *
 * Where it can't be written they last until the next restart; where it can't be read they are all over, which costs
 * their owners a sign-in. Both are reported and neither stops Nest.
 *
 * @param failed - told what went wrong, without the content
 */
export function fileBrowserStore(
  file: string,
  failed: (doing: "read" | "write", reason: string) => void,
): BrowserStore {
  return {
    load() {
      try {
        const { browsers } = JSON.parse(readFileSync(file, "utf8")) as { browsers: unknown };
        if (!Array.isArray(browsers)) throw new TypeError("no list of browsers");
        return browsers.slice(0, MAX_RECORDS).filter(isRecord);
      } catch (error) {
        const { code, name } = error as NodeJS.ErrnoException;
        if (code !== "ENOENT") failed("read", code ?? name);
        return [];
      }
    },
    save(records) {
      const temporary = `${file}.${crypto.randomUUID()}.tmp`;
      try {
        const descriptor = openSync(temporary, "wx", 0o600);
        try {
          writeSync(descriptor, `${JSON.stringify({ browsers: records }, undefined, 2)}\n`);
          fsyncSync(descriptor);
        } finally {
          closeSync(descriptor);
        }
        renameSync(temporary, file);
      } catch (error) {
        failed("write", (error as NodeJS.ErrnoException).code ?? "unknown");
        try {
          unlinkSync(temporary);
        } catch {
          // Never made, or renamed already.
        }
      }
    },
  };
}

function isRecord(value: unknown): value is BrowserRecord {
  if (typeof value !== "object" || value === null) return false;
  const { id, name, digest, parent, createdMs, expiresMs } = value as Record<string, unknown>;
  return (
    typeof id === "string" &&
    typeof name === "string" &&
    typeof digest === "string" &&
    HASH.test(digest) &&
    typeof parent === "string" &&
    HASH.test(parent) &&
    Number.isSafeInteger(createdMs) &&
    Number.isSafeInteger(expiresMs)
  );
}
