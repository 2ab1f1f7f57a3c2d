import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { Vault } from "../../src/vault/vault.ts";
import { testVault } from "../support/vault.ts";

const WRITER = join(import.meta.dir, "../support/crash-writer.ts");
/** Writes that must have been under fire. */
const WRITES = 2000;

/**
 * Kill -9 at any moment: a file has its old content or its new one, whole; what is moved is under one name or both;
 * nothing is lost; and the next start sweeps what was not finished.
 */
test("kill -9 at random moments over 2,000 writes: every file is whole, none is lost, nothing is left", async () => {
  using at = testVault();
  let writes = 0;
  let kills = 0;
  let swept = 0;
  while (writes < WRITES) {
    const child = Bun.spawn(
      [process.execPath, "--no-env-file", "--config=/dev/null", WRITER, at.root, String(kills)],
      { stdout: "pipe", stderr: "inherit" },
    );
    const reader = child.stdout.getReader();
    try {
      const { done } = await reader.read();
      expect(done).toBe(false);
      // Not a wait for something to be ready: the moment of the crash, which may be any.
      await Bun.sleep(Math.random() * 120);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
    }
    kills++;
    const said = [];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      said.push(new TextDecoder().decode(value));
    }
    for (const line of said.join("").split("\n")) writes += Number(line) || 0;

    const restarted = new Vault({ path: at.root, wallMs: () => Date.now() });
    swept += await restarted.sweep();
    restarted.close();
    expect(existsSync(join(at.root, ".nest-tmp"))).toBe(false);
    expect(
      readdirSync(at.root).filter((name) => !["dir", "moving", "moved", ".trash"].includes(name)),
    ).toEqual([]);
    for (const folder of ["dir", "moving", "moved"]) {
      if (!existsSync(join(at.root, folder))) continue;
      for (const name of readdirSync(join(at.root, folder))) {
        const content = readFileSync(join(at.root, folder, name), "utf8");
        const [first = ""] = content.split(";", 1);
        expect(first).toMatch(/^\d+:\d+$/);
        expect(content.length).toBeGreaterThan(0);
        // All of one version, and all of it.
        expect(content === `${first};`.repeat(content.length / (first.length + 1))).toBe(true);
      }
    }
    // What was there once stays there.
    const dir = join(at.root, "dir");
    const isFull = writes > 0;
    if (isFull) expect(readdirSync(dir)).toHaveLength(8);
  }
  console.log(`${writes} writes, ${kills} kills, ${swept} unfinished files swept`);
  // Otherwise no kill has hit a write, and nothing is proved.
  expect(swept).toBeGreaterThan(0);
}, 300_000);
