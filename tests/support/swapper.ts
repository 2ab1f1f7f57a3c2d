import { fileURLToPath } from "node:url";
import { dlopen, FFIType } from "bun:ffi";

/**
 * The attacker of the race tests: a process that exchanges two names in a tight loop, with renameat2(RENAME_EXCHANGE),
 * so that at no moment one of them is missing. Ends with its standard input: no test leaves one behind.
 *
 * Run as a program: `swapper.ts A B`; it writes a line when it has begun.
 */
export interface Swapper {
  [Symbol.asyncDispose](): Promise<void>;
}

/** @returns when it is under way */
export async function swap(a: string, b: string): Promise<Swapper> {
  const child = Bun.spawn(
    [process.execPath, "--no-env-file", "--config=/dev/null", fileURLToPath(import.meta.url), a, b],
    { stdin: "pipe", stdout: "pipe", stderr: "inherit" },
  );
  const { done } = await child.stdout.getReader().read();
  if (done) throw new Error("The swapper did not begin");
  return {
    async [Symbol.asyncDispose]() {
      await child.stdin.end();
      await child.exited;
    },
  };
}

/** Linux, AT_FDCWD and RENAME_EXCHANGE of renameat2(2). */
const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;
/** Exchanges between two looks at standard input. */
const BATCH = 2000;

export function openLibc() {
  for (const name of [
    "libc.so.6",
    `libc.musl-${process.arch === "x64" ? "x86_64" : "aarch64"}.so.1`,
  ]) {
    try {
      return dlopen(name, {
        renameat2: {
          args: [FFIType.i32, FFIType.cstring, FFIType.i32, FFIType.cstring, FFIType.u32],
          returns: FFIType.i32,
        },
      });
    } catch {
      // The next one.
    }
  }
  throw new Error("No libc with renameat2");
}

if (import.meta.main) {
  const [a, b] = process.argv.slice(2).map((path) => Buffer.from(`${path}\0`));
  const libc = openLibc();
  const once = () => libc.symbols.renameat2(AT_FDCWD, a!, AT_FDCWD, b!, RENAME_EXCHANGE);
  if (once() !== 0) throw new Error(`Cannot exchange ${a} and ${b}`);
  process.stdin.on("end", () => process.exit(0));
  process.stdin.resume();
  process.stdout.write("swapping\n");
  for (;;) {
    // An odd count: otherwise every pause would find them as they were.
    for (let i = 0; i <= BATCH; i++) once();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
