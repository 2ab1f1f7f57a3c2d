import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { Ledger } from "../../src/webhook/ledger.ts";
import { tempDir } from "../support/temp-dir.ts";

const bytes = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest();
const HOUR = 3_600_000;
const one = (id: string) => ({
  id,
  session: "default",
  source: "github",
  message: `text of ${id}`,
});

describe("Ledger", () => {
  test("a key answers as the first time for 24 hours, also after a restart", () => {
    using dir = tempDir();
    const path = join(dir.path, "webhooks.sqlite");
    {
      using ledger = new Ledger(path);
      ledger.add([bytes("k")], bytes("body"), one("wh_1"), HOUR);
    }
    using ledger = new Ledger(path);
    const found = { id: "wh_1", session: "default" };
    expect(ledger.find(bytes("k"), bytes("body"), HOUR)).toEqual({ ...found, isSameBody: true });
    expect(ledger.find(bytes("k"), bytes("other"), HOUR)).toEqual({ ...found, isSameBody: false });
    expect(ledger.find(bytes("k"), bytes("body"), 25 * HOUR - 1)).toBeDefined();
    expect(ledger.find(bytes("k"), bytes("body"), 25 * HOUR)).toBeUndefined();
    expect(ledger.find(bytes("K"), bytes("body"), HOUR)).toBeUndefined();
  });

  test("what was written is there though the process was killed in the next moment", async () => {
    using dir = tempDir();
    const path = join(dir.path, "webhooks.sqlite");
    const script = `
      import { Ledger } from ${JSON.stringify(new URL("../../src/webhook/ledger.ts", import.meta.url).pathname)};
      const digest = (t) => new Bun.CryptoHasher("sha256").update(t).digest();
      const ledger = new Ledger(${JSON.stringify(path)});
      for (let i = 0; i < 5; i++) ledger.add([digest("k" + i)], digest("b"), { id: "wh_" + i, session: "s", source: "x", message: "m" + i }, 1);
      process.kill(process.pid, "SIGKILL");
    `;
    const child = Bun.spawn([process.execPath, "-e", script], { stderr: "inherit" });
    await child.exited;
    expect(child.signalCode).toBe("SIGKILL");
    using ledger = new Ledger(path);
    expect(ledger.undelivered().map(({ message }) => message)).toEqual([
      "m0",
      "m1",
      "m2",
      "m3",
      "m4",
    ]);
    expect(ledger.find(bytes("k4"), bytes("b"), 2)?.id).toBe("wh_4");
  });

  test("undelivered: oldest first, until they are settled; the key stays", () => {
    using ledger = new Ledger(":memory:");
    ledger.add([bytes("a"), bytes("b")], bytes("1"), one("wh_1"), 2);
    ledger.add([bytes("c")], bytes("2"), one("wh_2"), 1);
    expect(ledger.undelivered()).toEqual([one("wh_2"), one("wh_1")]);
    ledger.settle("wh_1");
    expect(ledger.undelivered()).toEqual([one("wh_2")]);
    expect(ledger.find(bytes("a"), bytes("1"), 3)?.id).toBe("wh_1");
    expect(ledger.find(bytes("b"), bytes("1"), 3)?.id).toBe("wh_1");
  });

  test("nobody else can read it, nor what SQLite puts beside it", () => {
    using dir = tempDir();
    const path = join(dir.path, "webhooks.sqlite");
    const umask = process.umask(0);
    try {
      using ledger = new Ledger(path);
      ledger.add([bytes("a")], bytes("1"), one("wh_1"), 1);
      for (const file of [path, `${path}-wal`, `${path}-shm`])
        expect([file, statSync(file).mode & 0o777]).toEqual([file, 0o600]);
    } finally {
      process.umask(umask);
    }
  });

  test("it stays small: old ones go, and beyond its size the oldest that are delivered", () => {
    using ledger = new Ledger(":memory:", 100);
    for (let i = 0; i < 1000; i++) {
      ledger.add([bytes(`k${i}`)], bytes("1"), one(`wh_${i}`), i);
      if (i !== 0) ledger.settle(`wh_${i}`);
    }
    // Looked for at every 64th.
    expect(ledger.size).toBeLessThanOrEqual(100 + 64);
    expect(ledger.find(bytes("k999"), bytes("1"), 1000)).toBeDefined();
    expect(ledger.find(bytes("k500"), bytes("1"), 1000)).toBeUndefined();
    expect(ledger.undelivered().map(({ id }) => id)).toEqual(["wh_0"]);
    for (let i = 0; i < 65; i++) ledger.add([bytes(`n${i}`)], bytes("1"), one(`n_${i}`), 25 * HOUR);
    expect(ledger.find(bytes("k999"), bytes("1"), 1000)).toBeUndefined();
  });
});
