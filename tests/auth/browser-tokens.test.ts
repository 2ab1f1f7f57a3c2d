import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { Authenticator, digestOf } from "../../src/auth/authenticator.ts";
import { fileBrowserStore } from "../../src/auth/browser-store.ts";
import { BrowserTokens } from "../../src/auth/browser-tokens.ts";
import { type Principal, SCOPES } from "../../src/auth/principal.ts";
import { tempDir } from "../support/temp-dir.ts";

const DAY_MS = 86_400_000;

function principal(name: string, fields: Partial<Principal> = {}): Principal {
  return { name, digest: digestOf(`nest_${name}`), scopes: new Set(SCOPES), ...fields };
}

function tokens(file: string, now = { ms: 1_000_000 }) {
  const failures: string[] = [];
  const authenticator = new Authenticator([], () => now.ms);
  const store = fileBrowserStore(file, (doing, reason) => failures.push(`${doing} ${reason}`));
  const browsers = new BrowserTokens({
    store,
    wallMs: () => now.ms,
    changed: () => authenticator.setPrincipals(browsers.principals()),
  });
  const configure = (...principals: Principal[]) => {
    browsers.setConfigured(principals);
    authenticator.setPrincipals(browsers.principals());
  };
  return { browsers, authenticator, configure, failures, now };
}

describe("BrowserTokens", () => {
  test("issues a token with the rights of the one it came from, and keeps only its digest, mode 0600", () => {
    using dir = tempDir();
    const file = join(dir.path, "browsers.json");
    const { browsers, authenticator, configure } = tokens(file);
    const phone = principal("phone", { scopes: new Set(["prompt"]) });
    configure(principal("owner"), phone);
    const issued = browsers.issue(phone, "Firefox on Linux", true);
    const found = authenticator.authenticateToken(issued.token);
    expect(found?.name).toBe(`phone/${issued.id}`);
    expect([...(found?.scopes ?? [])]).toEqual(["prompt"]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).not.toContain(issued.token);
    expect(readdirSync(dir.path)).toEqual(["browsers.json"]);
  });

  test("lasts 90 days for a browser and one for a tab, and never longer than its origin", () => {
    using dir = tempDir();
    const { browsers, authenticator, configure, now } = tokens(join(dir.path, "b.json"));
    const guest = principal("guest", { expiresMs: now.ms + 5 });
    configure(principal("owner"), guest);
    const kept = browsers.issue(principal("owner"), "kept", true);
    const tab = browsers.issue(principal("owner"), "tab", false);
    expect(kept.expiresMs).toBe(now.ms + 90 * DAY_MS);
    expect(tab.expiresMs).toBe(now.ms + DAY_MS);
    expect(browsers.issue(guest, "guest", true).expiresMs).toBe(now.ms + 5);
    now.ms += DAY_MS;
    expect(authenticator.authenticateToken(tab.token)).toBeUndefined();
    expect(authenticator.authenticateToken(kept.token)?.browser?.id).toBe(kept.id);
  });

  test("survives a restart, and not the rotation of the token it came from", () => {
    using dir = tempDir();
    const file = join(dir.path, "browsers.json");
    const first = tokens(file);
    first.configure(principal("owner"));
    const { token } = first.browsers.issue(principal("owner"), "laptop", true);

    const second = tokens(file);
    second.configure(principal("owner"));
    expect(second.authenticator.authenticateToken(token)?.name).toStartWith("owner/");

    second.configure(principal("owner", { digest: digestOf("another") }));
    expect(second.authenticator.authenticateToken(token)).toBeUndefined();
    // For good: the old token's return brings nothing back.
    second.configure(principal("owner"));
    expect(second.authenticator.authenticateToken(token)).toBeUndefined();
  });

  test("at most 32 of one token: the one that would end first goes, and never another token's", () => {
    using dir = tempDir();
    const { browsers, configure } = tokens(join(dir.path, "b.json"));
    const guest = principal("guest");
    configure(principal("owner"), guest);
    const mine = browsers.issue(principal("owner"), "mine", false);
    const first = browsers.issue(guest, "first", false);
    for (let i = 0; i < 40; i++) browsers.issue(guest, `b${i}`, true);
    const all = browsers.list(principal("owner"));
    expect(all).toHaveLength(33);
    expect(all.some(({ id }) => id === mine.id)).toBe(true);
    expect(all.some(({ id }) => id === first.id)).toBe(false);
  });

  test("without admin only browsers of the same token are seen and ended", () => {
    using dir = tempDir();
    const { browsers, authenticator, configure } = tokens(join(dir.path, "b.json"));
    const guest = principal("guest", { scopes: new Set(["attach"]) });
    configure(principal("owner"), guest);
    const owners = browsers.issue(principal("owner"), "o", true);
    const guests = browsers.issue(guest, "g", true);
    const guestsBrowser = authenticator.authenticateToken(guests.token) as Principal;
    expect(browsers.list(guestsBrowser).map(({ id }) => id)).toEqual([guests.id]);
    expect(browsers.revoke(guestsBrowser, owners.id)).toBe(false);
    expect(authenticator.authenticateToken(owners.token)).toBeDefined();
    expect(browsers.revoke(guestsBrowser, guests.id)).toBe(true);
    expect(authenticator.authenticateToken(guests.token)).toBeUndefined();
    const ownersBrowser = authenticator.authenticateToken(owners.token) as Principal;
    const other = browsers.issue(guest, "g2", true);
    expect(browsers.revoke(ownersBrowser, other.id)).toBe(true);
  });

  test("a file with anything else in it costs a sign-in and no more", () => {
    using dir = tempDir();
    const file = join(dir.path, "browsers.json");
    for (const text of ["", "null", "[]", '{"browsers":1}', '{"browsers":[null,{"id":1}]}']) {
      writeFileSync(file, text);
      const { browsers, configure } = tokens(file);
      configure(principal("owner"));
      expect(browsers.list(principal("owner"))).toEqual([]);
      browsers.issue(principal("owner"), "again", true);
      expect(JSON.parse(readFileSync(file, "utf8")).browsers).toHaveLength(1);
    }
  });

  test("where it can't be written it is said, and the token works until the restart", () => {
    using dir = tempDir();
    const { browsers, authenticator, configure, failures } = tokens(
      join(dir.path, "missing", "b.json"),
    );
    configure(principal("owner"));
    const { token } = browsers.issue(principal("owner"), "b", true);
    expect(authenticator.authenticateToken(token)).toBeDefined();
    expect(failures).toEqual(["write ENOENT"]);
  });
});
