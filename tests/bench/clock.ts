import { dlopen, FFIType, ptr } from "bun:ffi";

/**
 * A clock that all processes of this machine share, since events are stamped in one and timed in another: clock_gettime(2)
 * with CLOCK_MONOTONIC. On Bun 1.4.5 `process.hrtime` and `Bun.nanoseconds` both begin at 0 with the process, and
 * `performance.timeOrigin` is the wall clock's.
 */
const isMac = process.platform === "darwin";
const CLOCK_MONOTONIC = isMac ? 6 : 1;
const libc = dlopen(isMac ? "libSystem.B.dylib" : "libc.so.6", {
  clock_gettime: { args: [FFIType.i32, FFIType.ptr], returns: FFIType.i32 },
});

/** struct timespec on 64-bit machines: seconds, nanoseconds. */
const timespec = new BigInt64Array(2);
const place = ptr(timespec);

/** Microseconds since some moment that is the same for all processes; about 0.1 µs to read. */
export function sharedUs(): number {
  libc.symbols.clock_gettime(CLOCK_MONOTONIC, place);
  return Number(timespec[0]) * 1e6 + Number(timespec[1]) / 1e3;
}
