import { isatty } from "node:tty";

/** How often it is looked whether the terminal is still there, ms. */
const LOOK_MS = 1000;

/**
 * Calls `gone` once the terminal is: closed, disconnected, its multiplexer killed. Nothing can be restored then, and a
 * program that went on would spin on a stream that is always at its end.
 *
 * SIGHUP tells of most; some runtimes and shells swallow it, and not every stream says that it broke, so it is looked for,
 * too: on a terminal that hung up every ioctl fails (tty_ioctl(4)).
 */
export function onHangUp(gone: () => void): void {
  process.on("SIGHUP", gone);
  for (const stream of [process.stdin, process.stdout, process.stderr]) stream.on("error", gone);
  process.stdin.on("end", gone);
  process.stdin.on("close", gone);
  setInterval(() => {
    if (!isatty(0) || !isatty(1)) gone();
  }, LOOK_MS).unref();
}
