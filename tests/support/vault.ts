import { mkdirSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import type { OpenFile } from "../../src/vault/open-file.ts";
import { Vault } from "../../src/vault/vault.ts";
import { tempDir } from "./temp-dir.ts";

/** What must not be read, and where it lies. */
export const SECRET = "outside the vault";

/** A vault in a folder of the test's own, with a folder `outside` beside it. */
export interface TestVault {
  readonly vault: Vault;
  /** The vault's folder. */
  readonly root: string;
  readonly outside: string;
  /** The folder that both lie in. */
  readonly dir: string;
  /** Descriptors of this process on anything below `dir`: others come and go with the test runner. */
  descriptors(): number;
  [Symbol.dispose](): void;
}

export function testVault(options: { mayPin?: boolean; wallMs?: () => number } = {}): TestVault {
  const temp = tempDir();
  const root = join(temp.path, "vault");
  const outside = join(temp.path, "outside");
  mkdirSync(root);
  mkdirSync(outside);
  const vault = new Vault({ path: root, wallMs: () => Date.now(), ...options });
  return {
    vault,
    root,
    outside,
    dir: temp.path,
    descriptors: () => descriptorsBelow(temp.path),
    [Symbol.dispose]() {
      vault.close();
      temp[Symbol.dispose]();
    },
  };
}

export function descriptorsBelow(path: string): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;
}

export function mkfifo(path: string): void {
  const { exitCode } = Bun.spawnSync(["mkfifo", path]);
  if (exitCode !== 0) throw new Error("mkfifo failed");
}

/** What an operation comes to: `ok`, or the code of the refusal. Anything else is thrown. */
export async function outcomeOf(operation: () => unknown): Promise<string> {
  try {
    await operation();
    return "ok";
  } catch (error) {
    const { name, code } = error as { name?: string; code?: string };
    if (name === "VaultError" && code !== undefined) return code;
    throw error;
  }
}

/** Bytes of an open file, which is closed then. */
export async function bytesOf(file: OpenFile, start?: number, end?: number): Promise<Uint8Array> {
  using _file = file;
  const body = file.body(start, end);
  return body instanceof Blob ? await body.bytes() : body;
}
