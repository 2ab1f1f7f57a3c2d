/**
 * Run as a process of its own with a number N: feeds N addresses to a `MemoryFailureStore` with the default limits, once
 * each, while 1,000 others are locked, and prints what that cost and who is still locked.
 */
import { heapStats } from "bun:jsc";
import { ClientAddresses } from "../../src/limit/client-address.ts";
import { MemoryFailureStore } from "../../src/limit/memory-failure-store.ts";

const LOCKED = 1000;
const limits = { maxFailures: 10, windowMs: 60_000, maxAddresses: 65_536 };
const addresses = new ClientAddresses({ trustedProxies: [], ipv6Prefix: 64 });
const hex = (word: number) => (word | 0x10000).toString(16).slice(1);
/** The longer kind of key, made as the server makes it. */
const key = (group: number, i: number) =>
  addresses.of(`2001:db8:${hex(group | (i >> 16))}:${hex(i & 0xffff)}::1`, new Headers()).key;

/** Cells and what hangs on them, typed arrays included; the process's own size varies with the allocator. */
function heapBytes(): number {
  Bun.gc(true);
  return heapStats().heapSize;
}

function feed(store: MemoryFailureStore, count: number): void {
  for (let i = 0; i < LOCKED; i++) {
    for (let n = 0; n < limits.maxFailures; n++) store.add(key(0xf000, i), 0);
  }
  for (let i = 0; i < count; i++) store.add(key(0x1000, i), 1 + i / 100_000);
}

// Once before, so that compiled code does not count.
feed(new MemoryFailureStore(limits), 1000);
const beforeBytes = heapBytes();
const store = new MemoryFailureStore(limits);
const startMs = performance.now();
feed(store, Number(process.argv[2]));
const elapsedMs = performance.now() - startMs;
const bytes = heapBytes() - beforeBytes;

let stillLocked = 0;
for (let i = 0; i < LOCKED; i++) if (store.remainingMs(key(0xf000, i), 100) > 0) stillLocked++;
process.stdout.write(
  JSON.stringify({ bytes, elapsedMs, stillLocked, lockedCount: store.lockedCount }),
);
