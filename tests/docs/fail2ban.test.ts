import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test, setDefaultTimeout } from "bun:test";
import { createLog } from "../../src/log/log.ts";
import { BEARER, testGateway } from "../support/gateway.ts";
import { tempDir } from "../support/temp-dir.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

/**
 * The filter and the jail of docs/fail2ban, held against the real fail2ban and lines as the gateway writes them.
 * Where fail2ban is not installed this is skipped; the gate installs it.
 */
const DOCS = join(import.meta.dir, "..", "..", "docs", "fail2ban");
const IS_THERE = Bun.which("fail2ban-regex") !== null;

/** Addresses that fail2ban would count, one for each failure. */
function found(path: string): string[] {
  const { stdout } = Bun.spawnSync([
    "fail2ban-regex",
    "--out",
    "ip",
    path,
    join(DOCS, "nest.conf"),
  ]);
  return stdout
    .toString()
    .split("\n")
    .filter((line) => line !== "")
    .toSorted();
}

describe.skipIf(!IS_THERE)("docs/fail2ban (skipped without fail2ban-regex)", () => {
  test("nest.conf finds the failures of a real gateway in all of its logs, and nobody else", async () => {
    using dir = tempDir();
    const paths = {
      text: join(dir.path, "text.log"),
      json: join(dir.path, "json.log"),
      audit: join(dir.path, "audit.log"),
    };
    await using gateway = testGateway({
      config: { server: { trustedProxies: ["127.0.0.1"], rateLimit: { maxFailures: 3 } } },
    });
    const ask = (address: string, path = "/api/status", headers: Record<string, string> = {}) =>
      fetch(gateway.url + path, { headers: { "X-Forwarded-For": address, ...headers } });
    await ask("192.0.2.1");
    await ask("192.0.2.1", "/api/x", { Authorization: "Bearer wrong" });
    await ask("2001:db8::7", '/api/","event":"auth_failed","address":"203.0.113.66","route":"');
    await ask("198.51.100.1", "/api/ warn auth_failed address=203.0.113.66 route=");
    await ask("junk");
    await ask("198.51.100.2", "/api/status", BEARER);
    await ask("198.51.100.3", "/nowhere");
    // A lock: its start and what is refused in it are no failures of their own.
    for (let i = 0; i < 6; i++) await ask("198.51.100.4");

    // The same events in each form.
    const forms = { text: "", json: "", audit: "" };
    for (const format of ["text", "json"] as const) {
      const log = createLog({
        level: "debug",
        format,
        wallMs: () => Date.parse(String(gateway.lines[0]?.["time"])),
        write: (line) => (forms[format] += line),
        writeAudit: (line) => (forms.audit += format === "json" ? line : ""),
      });
      for (const { time: _, level: __, event, ...fields } of gateway.lines)
        log.security(event as "auth_failed", fields as never);
    }
    for (const [name, text] of Object.entries(forms))
      writeFileSync(paths[name as keyof typeof paths], text);

    const expected = [
      "192.0.2.1",
      "192.0.2.1",
      "198.51.100.1",
      "198.51.100.4",
      "198.51.100.4",
      "198.51.100.4",
      "2001:db8::/64",
    ];
    for (const path of Object.values(paths))
      expect([path, found(path)]).toEqual([path, expected.toSorted()]);
    for (const name of ["json", "audit"] as const)
      expect(readFileSync(paths[name], "utf8")).toContain("203.0.113.66");
  });

  test("jail.conf is one that fail2ban takes", () => {
    using dir = tempDir();
    // fail2ban's own configuration, with ours laid over it and a log that is there.
    const etc = join(dir.path, "fail2ban");
    const copied = Bun.spawnSync(["cp", "-r", "/etc/fail2ban", etc]);
    expect(copied.exitCode).toBe(0);
    for (const folder of ["filter.d", "jail.d"]) mkdirSync(join(etc, folder), { recursive: true });
    copyFileSync(join(DOCS, "nest.conf"), join(etc, "filter.d", "nest.conf"));
    const log = join(dir.path, "audit.log");
    writeFileSync(log, "");
    writeFileSync(
      join(etc, "jail.d", "nest.conf"),
      readFileSync(join(DOCS, "jail.conf"), "utf8").replace("/srv/nest/sessions/audit.log", log),
    );
    // The distribution's own jail wants a log of its own.
    writeFileSync(join(etc, "jail.local"), "[sshd]\nenabled = false\n");
    const { stdout, stderr } = Bun.spawnSync(["fail2ban-client", "-c", etc, "-d"]);
    const text = stdout.toString();
    expect(stderr.toString()).not.toMatch(/ERROR/);
    expect(text).toContain("['add', 'nest', 'auto']");
    expect(text).toContain(`['set', 'nest', 'addlogpath', '${log}', 'head']`);
    expect(text).toContain("['set', 'nest', 'maxretry', 20]");
  });
});
