import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { bytesOf, mkfifo, testVault } from "../support/vault.ts";

test("10,000 mixed, failing and aborted operations leave no descriptor behind", async () => {
  using at = testVault();
  const { vault } = at;
  mkdirSync(join(at.root, "dir"));
  writeFileSync(join(at.root, "small"), "x");
  writeFileSync(join(at.root, "large"), Buffer.alloc(600_000, 1));
  symlinkSync(at.outside, join(at.root, "out"));
  mkfifo(join(at.root, "pipe"));
  const MAX = { maxBytes: 100 };
  const aborted = () => {
    const abort = new AbortController();
    setImmediate(() => abort.abort(new Error("aborted")));
    return abort.signal;
  };
  const endless = () =>
    new ReadableStream<Uint8Array>({ start: (c) => c.enqueue(Buffer.from("x")) });
  const acts: readonly ((i: number) => unknown)[] = [
    async () => (await vault.open("small")).body(),
    async () => (await vault.open("large")).close(),
    async () => bytesOf(await vault.open("large")),
    async () => bytesOf(await vault.open("large"), 100_000, 200_000),
    async () => (await vault.open("large", { signal: aborted() })).close(),
    () => vault.open("gone"),
    () => vault.open("pipe"),
    () => vault.open("dir"),
    () => vault.open("out/x"),
    () => vault.open("small/x"),
    () => vault.list("", { depth: 3 }),
    () => vault.list("out"),
    () => vault.list("", { depth: 3, signal: AbortSignal.abort(new Error("aborted")) }),
    (i) => vault.write(`dir/${i % 10}`, Buffer.from("x"), MAX),
    (i) => vault.write(`dir/${i % 10}`, Buffer.alloc(101), MAX),
    () => vault.write("large", Buffer.from("x"), { ...MAX, ifMatch: ['"x"'] }),
    () => vault.write("dir/a", endless(), { ...MAX, signal: aborted() }),
    () => vault.write("out/x", Buffer.from("x"), MAX),
    (i) => vault.move(`dir/${i % 10}`, `dir/sub/${i % 10}`),
    (i) => vault.remove(`dir/sub/${i % 10}`, { permanent: i % 2 === 0 }),
    (i) => vault.makeDirectory(`dir/made/${i % 10}`),
    () => vault.remove("dir/made", { recursive: true, permanent: true }),
  ];
  const outcomes = { ok: 0, refused: 0 };
  for (let i = 0; i < 10_000; i += 20) {
    const batch = Array.from({ length: 20 }, async (_, k) => acts[(i + k) % acts.length]!(i + k));
    for (const { status } of await Promise.allSettled(batch)) {
      outcomes[status === "fulfilled" ? "ok" : "refused"]++;
    }
  }
  // Both kinds, and in number.
  expect(outcomes.ok).toBeGreaterThan(3000);
  expect(outcomes.refused).toBeGreaterThan(3000);
  expect(at.descriptors()).toBe(1);
}, 120_000);
