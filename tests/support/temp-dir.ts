import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder of the test's own, removed with all that is in it. */
export function tempDir(parent = tmpdir()): { readonly path: string; [Symbol.dispose](): void } {
  const path = mkdtempSync(join(parent, "nest-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}
