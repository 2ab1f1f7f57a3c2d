import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { promptDigest } from "../../src/agent/prompt.ts";
import { PromptLedger } from "../../src/agent/prompt-ledger.ts";
import { isUnsettled } from "../../src/agent/prompt-notes.ts";
import { tempDir } from "../support/temp-dir.ts";

const content = (message: string) => ({ type: "prompt" as const, fields: { message } });
const accept = (ledger: PromptLedger, message: string, key?: string) =>
  ledger.accept(content(message), 1, key, promptDigest("prompt", { message }));

test("what became of each prompt is known to the next Nest, however this one ended", () => {
  using dir = tempDir();
  const path = join(dir.path, "prompts.log");
  const ledger = new PromptLedger(path);
  const [waits, passed, begun, done, refused, interrupted] = [..."abcdef"].map((key) =>
    accept(ledger, `say ${key}`, key),
  ) as [never, never, never, never, never, never];
  for (const one of [passed, begun, done, interrupted]) ledger.passed(one, { "x.jsonl": 7 });
  for (const one of [begun, done, interrupted]) ledger.begun(one);
  ledger.over(done, "done");
  ledger.over(interrupted, "interrupted");
  ledger.refused(refused);
  ledger.run(true);
  expect(isUnsettled(path)).toBe(true);
  // Twice: what is read is written anew, and read again.
  for (let i = 0; i < 2; i++) {
    const next = new PromptLedger(path);
    expect(next.mark).toBe(ledger.mark);
    expect(next.isBusy).toBe(true);
    expect(next.unfinished.map(({ key, status }) => [key, status])).toEqual([
      ["a", "accepted"],
      ["b", "passed"],
      ["c", "begun"],
    ]);
    expect(next.unfinished[1]).toMatchObject({ attempts: 1, sizes: { "x.jsonl": 7 } });
    expect(next.withKey("d")).toMatchObject({ status: "done", content: undefined });
    expect(next.withKey("e")).toBeUndefined();
    expect(next.interrupted).toMatchObject([{ key: "f", content: content("say f") }]);
    const fresh = accept(next, "new");
    expect(fresh.id).toBe(`p${7 + i}`);
    next.refused(fresh);
  }
  void waits;
});

test("cut at any byte it is what it was after some note, and goes on from there", () => {
  using dir = tempDir();
  const path = join(dir.path, "prompts.log");
  const ledger = new PromptLedger(path);
  const before = readFileSync(path).indexOf(0);
  const one = accept(ledger, "é\u2028", "k");
  ledger.passed(one, {});
  ledger.begun(one);
  ledger.over(one, "done");
  const whole = readFileSync(path);
  const end = whole.indexOf(0);
  const seen = new Set<string | undefined>();
  for (let length = before; length <= end; length++) {
    writeFileSync(path, Buffer.concat([whole.subarray(0, length), Buffer.alloc(100)]));
    const next = new PromptLedger(path);
    seen.add(next.withKey("k")?.status);
    accept(next, "more");
    next.close();
  }
  expect([...seen]).toEqual([undefined, "accepted", "passed", "begun", "done"]);
});

test("it stays small and remembers the newest 4096 keys", () => {
  using dir = tempDir();
  const path = join(dir.path, "prompts.log");
  const ledger = new PromptLedger(path);
  const long = "x".repeat(10_000);
  for (let i = 0; i < 5000; i++) ledger.over(accept(ledger, long, `k${i}`), "done");
  expect(statSync(path).size).toBeLessThan(8 << 20);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const next = new PromptLedger(path);
  expect(next.withKey("k4999")?.status).toBe("done");
  expect(next.withKey(`k${5000 - 4096}`)?.status).toBe("done");
  expect(next.withKey("k0")).toBeUndefined();
  expect(isUnsettled(path)).toBe(false);
}, 60_000);
