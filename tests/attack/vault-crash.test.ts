import { expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { BEARER } from "../support/gateway.ts";
import { randomFrom } from "../support/random.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";
import { VaultProcess } from "../support/vault-process.ts";

const SEED = Number(process.env["NEST_SEED"] ?? crypto.getRandomValues(new Uint32Array(1))[0]);
/** Acknowledged in all. */
const WRITES = Number(process.env["NEST_CRASH_WRITES"] ?? 2000);
const KILLS = 10;
/** Each has a client of its own, that waits for the answer before it writes again. */
const FILES = 16;

/** A content that shows which version it is, and whether it is whole. Of each length up to 64 KiB and beyond. */
function contentOf(file: number, version: number): string {
  const line = `file ${file} version ${version}\n`;
  return `${line.repeat(1 + ((version * 7919 + file) % 4000))}end of ${line}`;
}

/** @returns the version that the content is, nothing if it is none as a whole */
function versionOf(file: number, content: string): number | undefined {
  const version = Number(/^file \d+ version (\d+)\n/.exec(content)?.[1]);
  return content === contentOf(file, version) ? version : undefined;
}

test(`kill -9 at random moments of ${WRITES} writes: every file is a whole version, no acknowledged one is lost, nothing is left over`, async () => {
  const random = randomFrom(SEED);
  using dir = tempDir();
  const vault = join(dir.path, "vault");
  const acknowledged = Array.from({ length: FILES }, () => 0);
  const sent = Array.from({ length: FILES }, () => 0);
  const nameOf = (file: number) => `folder-${file % 4}/file-${file}.md`;
  let total = 0;
  let leftOver = 0;

  const write = async (url: string, file: number) => {
    const version = (sent[file] as number) + 1;
    sent[file] = version;
    const response = await fetch(`${url}/api/files/${nameOf(file)}`, {
      method: "PUT",
      headers: BEARER,
      body: contentOf(file, version),
    });
    expect([200, 201]).toContain(response.status);
    await response.text();
    acknowledged[file] = version;
    total++;
  };

  for (let kill = 0; kill <= KILLS; kill++) {
    await using nest = await VaultProcess.start(dir.path);
    await until("the start has swept", () => !existsSync(join(vault, ".nest-tmp")));
    const where = `NEST_SEED=${SEED}, after ${kill} kills`;
    for (let file = 0; file < FILES; file++) {
      const path = join(vault, nameOf(file));
      const version = existsSync(path) ? versionOf(file, readFileSync(path, "utf8")) : 0;
      expect([where, file, version]).toEqual([where, file, expect.any(Number)]);
      expect(version).toBeWithin(acknowledged[file] as number, (sent[file] as number) + 1);
    }
    const found = readdirSync(vault, { recursive: true, encoding: "utf8" }).filter(
      (name) => name !== "Welcome.md" && !/^folder-\d(?:\/file-\d+\.md)?$/.test(name),
    );
    expect([where, found]).toEqual([where, []]);
    if (kill === KILLS) break;

    const goal =
      kill === KILLS - 1 ? WRITES : Math.max(1, Math.round((WRITES * (kill + random())) / KILLS));
    let isDead = false;
    const clients = Array.from({ length: FILES }, async (_, file) => {
      while (!isDead) {
        try {
          await write(nest.url, file);
        } catch (error) {
          if (!isDead) throw error;
        }
        // In the middle of what the others do.
        if (!isDead && total >= goal) {
          isDead = true;
          await nest.kill();
        }
      }
    });
    await Promise.all(clients);
    const folder = join(vault, ".nest-tmp");
    if (existsSync(folder)) leftOver += readdirSync(folder).length;
  }
  // The kills came in the middle of writes, so there was something to sweep.
  expect(leftOver).toBeGreaterThan(0);
  expect(total).toBeGreaterThanOrEqual(WRITES);
}, 300_000);
