import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { AuditLog } from "../../src/log/audit-log.ts";
import { createLog } from "../../src/log/log.ts";
import { tempDir } from "../support/temp-dir.ts";

const read = (path: string) => readFileSync(path, "utf8");
const modeOf = (path: string) => statSync(path).mode & 0o777;

describe("AuditLog", () => {
  test("adds lines to what is there, for its owner's eyes only", () => {
    using dir = tempDir();
    const path = join(dir.path, "audit.log");
    writeFileSync(path, "before\n");
    chmodSync(path, 0o644);
    using log = new AuditLog({ path });
    log.append("one\n");
    expect(read(path)).toBe("before\none\n");
    expect(modeOf(path)).toBe(0o600);
    const umask = process.umask(0);
    try {
      using fresh = new AuditLog({ path: join(dir.path, "fresh.log") });
      fresh.append("x\n");
      expect(modeOf(join(dir.path, "fresh.log"))).toBe(0o600);
    } finally {
      process.umask(umask);
    }
  });

  test("is put aside when full, a bounded number of times; no line is lost or cut at the seams", () => {
    using dir = tempDir();
    const path = join(dir.path, "audit.log");
    using log = new AuditLog({ path, maxBytes: 100, maxOld: 3 });
    const line = (n: number) => `line ${String(n).padStart(20, "0")}\n`;
    for (let n = 0; n < 40; n++) log.append(line(n));
    expect(readdirSync(dir.path).toSorted()).toEqual([
      "audit.log",
      "audit.log.1",
      "audit.log.2",
      "audit.log.3",
    ]);
    const kept = ["audit.log.3", "audit.log.2", "audit.log.1", "audit.log"].map((name) =>
      read(join(dir.path, name)),
    );
    for (const text of kept) expect(text.length).toBeLessThanOrEqual(100);
    const lines = kept.join("").split(/(?<=\n)/);
    expect(lines).toEqual(
      Array.from({ length: lines.length }, (_, i) => line(40 - lines.length + i)),
    );
    for (const name of readdirSync(dir.path)) expect(modeOf(join(dir.path, name))).toBe(0o600);
  });

  // Each line that came after a failed turn pushed the old files on by one, and the last off the end: ten lines, and no
  // trail was left.
  test("a file that somebody takes away costs none of the old ones, and nothing of what follows", () => {
    using dir = tempDir();
    const path = join(dir.path, "audit.log");
    using log = new AuditLog({ path, maxBytes: 20, maxOld: 3 });
    for (const line of ["first\n", "second----------\n"]) log.append(line);
    expect(read(`${path}.1`)).toBe("first\n");
    unlinkSync(path);
    for (const line of ["third\n", "fourth\n"]) log.append(line);
    expect([read(path), read(`${path}.1`)]).toEqual(["third\nfourth\n", "first\n"]);
  });

  test("where it can't be put aside, lines go on into the file as it is, and that is said", () => {
    using dir = tempDir();
    const [folder, away] = [join(dir.path, "logs"), join(dir.path, "away")];
    mkdirSync(folder);
    using log = new AuditLog({ path: join(folder, "audit.log"), maxBytes: 10, maxOld: 3 });
    log.append("first\n");
    renameSync(folder, away);
    for (let n = 0; n < 5; n++) expect(() => log.append("later\n")).toThrow();
    expect(read(join(away, "audit.log"))).toBe(`first\n${"later\n".repeat(5)}`);
    renameSync(away, folder);
    log.append("last\n");
    expect(read(join(folder, "audit.log.1"))).toBe(`first\n${"later\n".repeat(5)}`);
    expect(read(join(folder, "audit.log"))).toBe("last\n");
  });

  test("goes on in the same file after a restart, its size known", () => {
    using dir = tempDir();
    const path = join(dir.path, "audit.log");
    for (let n = 0; n < 5; n++) {
      using log = new AuditLog({ path, maxBytes: 25, maxOld: 9 });
      log.append("0123456789\n");
    }
    expect(read(path)).toBe("0123456789\n");
    expect(read(`${path}.1`)).toBe("0123456789\n".repeat(2));
    expect(existsSync(`${path}.3`)).toBe(false);
  });

  test("follows no link and writes to nothing but a file", () => {
    using dir = tempDir();
    const target = join(dir.path, "somebody's");
    writeFileSync(target, "");
    symlinkSync(target, join(dir.path, "link"));
    mkdirSync(join(dir.path, "folder"));
    Bun.spawnSync(["mkfifo", join(dir.path, "pipe")]);
    for (const name of ["link", "folder", "pipe", "none/audit.log"])
      expect(() => new AuditLog({ path: join(dir.path, name) })).toThrow();
    expect(read(target)).toBe("");
  });
});

test("createLog: security events and audited ones go to the security log, one JSON line each, the address first", () => {
  const audit: string[] = [];
  const out: string[] = [];
  const log = createLog({
    level: "error",
    format: "text",
    wallMs: () => 0,
    write: (line) => out.push(line),
    writeAudit: (line) => audit.push(line),
  });
  log.security("auth_failed", {
    address: "192.0.2.1",
    route: "GET /\n",
    reason: "wrong_credentials",
  });
  log.audit("prompt", { token: "phone", address: "192.0.2.2", length: 12 });
  log.info("not for it");
  expect(audit).toEqual([
    '{"time":"1970-01-01T00:00:00.000Z","event":"auth_failed","address":"192.0.2.1","route":"GET /\\n","reason":"wrong_credentials"}\n',
    '{"time":"1970-01-01T00:00:00.000Z","event":"prompt","token":"phone","address":"192.0.2.2","length":12}\n',
  ]);
  expect(out).toHaveLength(1);
});
