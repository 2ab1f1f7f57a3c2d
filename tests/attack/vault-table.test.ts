import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { BEARER, type TestGateway, testGateway } from "../support/gateway.ts";
import { type HostileAnswer, hostileRequest } from "../support/hostile-http.ts";
import { bytesOf, FALLS, NAIVE } from "../support/naive-files.ts";
import { jsonOf, type Operation, OPERATIONS, sendOperation } from "../support/vault-operations.ts";
import { tempDir } from "../support/temp-dir.ts";
import {
  hasSecretInside,
  INSIDE,
  insideState,
  outsideState,
  plantWorld,
  SECRET,
  type World,
  worldIn,
} from "../support/vault-world.ts";
import { ATTACKS } from "./vault-attacks.ts";

/**
 * Every attack through every operation, over HTTP, byte for byte. Nothing outside of the vault may be read, made,
 * changed or removed, nothing of the host may be told, and the answer is the one that the contract names.
 */

/** Devices take root, and a container that lets it. */
const canPlantDevices = (() => {
  using dir = tempDir();
  const { exitCode } = Bun.spawnSync(["mknod", join(dir.path, "null"), "c", "1", "3"], {
    stderr: "ignore",
  });
  return exitCode === 0;
})();
if (!canPlantDevices) {
  console.log("tests/attack/vault-table.test.ts: devices need root and mknod(1), skipped here");
}

let nest: TestGateway;
let world: World;
beforeAll(() => {
  nest = testGateway({ prepare: (dir) => plantWorld(worldIn(dir)) });
  world = worldIn(nest.dir);
});
afterAll(() => nest[Symbol.asyncDispose]());

/** What no answer may hold, whatever was asked. */
function assertTellsNothing({ head, body }: HostileAnswer, path: string, json: Buffer): void {
  const text = `${head}\n${body.toString()}`;
  expect(text).not.toContain(SECRET);
  expect(text).not.toMatch(/^Uid:|"deep\.txt"|"secret\.txt"|^x-injected:/im);
  expect(text).not.toMatch(/\bE[A-Z]{4,}\b.*\b(?:open|lstat|rename)\b|\bat \/|\.ts:\d/);
  // What the client said itself may be said again.
  let rest = text.replaceAll(JSON.stringify(json.toString()).slice(3, -3), "");
  for (const said of [json.toString().slice(1, -1), path, bytesOf(path).toString()]) {
    if (said !== "") rest = rest.replaceAll(said, "");
  }
  expect(rest).not.toContain(world.dir);
  expect(rest).not.toContain("/proc/self");
}

describe("the vault over HTTP", () => {
  for (const attack of ATTACKS) {
    const { name, plant, answers, needsRoot } = attack;
    test.skipIf(needsRoot === true && !canPlantDevices)(`holds against ${name}`, async () => {
      const outcomes: Partial<Record<Operation, number>> = {};
      const expected: Partial<Record<Operation, number>> = {};
      for (const operation of OPERATIONS) {
        plantWorld(world);
        const unplant = plant?.(world);
        try {
          const before = outsideState(world);
          const inside = insideState(world);
          const path = typeof attack.path === "string" ? attack.path : attack.path(world);
          const json = jsonOf(path, attack.json);
          const answer = await sendOperation(nest.port, operation, path, json);
          assertTellsNothing(answer, path, json);
          expect([operation, outsideState(world)]).toEqual([operation, before]);
          expect([operation, hasSecretInside(world)]).toEqual([operation, false]);
          outcomes[operation] = answer.status;
          const allowed = answers[operation];
          expected[operation] = allowed.includes(answer.status) ? answer.status : (allowed[0] ?? 0);
          if (operation === "GET" && answer.status === 200) {
            expect(answer.body.toString()).toBe(INSIDE);
          }
          // What was refused has left everything as it was.
          if (answer.status >= 400) {
            expect([operation, insideState(world)]).toEqual([operation, inside]);
          }
        } finally {
          unplant?.();
        }
      }
      expect(outcomes).toEqual(expected);
      expect((await hostileRequest(nest.port, { method: "GET", target: "/health" })).status).toBe(
        200,
      );
    });
  }
});

/** What deletes for good, or a whole folder, must have been meant. */
const SLIPS = [
  { name: "in capitals", target: "note.md?PERMANENT=true", status: 204, isInTrash: true },
  { name: "a value in capitals", target: "note.md?permanent=TRUE", status: 400 },
  { name: "a word", target: "note.md?permanent=yes", status: 400 },
  { name: "a number", target: "note.md?permanent=2", status: 400 },
  { name: "a list", target: "note.md?permanent[]=true", status: 204, isInTrash: true },
  {
    name: "said twice, no first",
    target: "note.md?permanent=false&permanent=true",
    status: 204,
    isInTrash: true,
  },
  {
    name: "separated by a semicolon",
    target: "note.md?x=1;permanent=true",
    status: 204,
    isInTrash: true,
  },
  { name: "as part of the path", target: "note.md%3fpermanent=true", status: 404 },
  { name: "as part of the path, behind a folder", target: "sub%3frecursive=true", status: 404 },
  { name: "in a fragment", target: "sub%23?recursive=true", status: 404 },
  { name: "recursive for the other", target: "sub?permanent=true", status: 409 },
  { name: "a slash for recursive", target: "sub/", status: 409 },
  {
    name: "a folder's link for the folder",
    target: "way/?recursive=true&permanent=true",
    status: 404,
  },
  { name: "the root, by nothing", target: "?recursive=true&permanent=true", status: 409 },
  { name: "the root, by a dot", target: "%2e?recursive=true&permanent=true", status: 409 },
  { name: "the root, by a link", target: "self?recursive=true&permanent=true", status: 204 },
  { name: "the root, through a link", target: "self/?recursive=true&permanent=true", status: 404 },
];

describe("DELETE", () => {
  test.each(SLIPS)("a slip in the query: $name", async ({ target, status, isInTrash }) => {
    plantWorld(world);
    symlinkSync("sub", join(world.vault, "way"));
    symlinkSync(".", join(world.vault, "self"));
    const { status: found, head } = await hostileRequest(nest.port, {
      method: "DELETE",
      target: `/api/files/${target}`,
      headers: BEARER,
    });
    expect(found).toBe(status);
    const isThere = (name: string) => existsSync(join(world.vault, name));
    expect([isThere("note.md"), isThere("sub/inner.md")]).toEqual([isInTrash !== true, true]);
    const trashed = /^X-Trash-Path: (.*)$/im.exec(head)?.[1];
    if (isInTrash) expect(isThere(decodeURI(trashed ?? "none"))).toBe(true);
  });
});

describe("without the guard", () => {
  for (const { name, path, plant, naive, needsRoot } of ATTACKS) {
    const [kind, fall] = naive;
    test.skipIf(needsRoot === true && !canPlantDevices)(
      `${name}: who would ${kind}, ${fall}`,
      async () => {
        using dir = tempDir();
        const own = worldIn(dir.path);
        plantWorld(own);
        const unplant = plant?.(own);
        try {
          const asked = typeof path === "string" ? path : path(own);
          expect(await FALLS[fall](() => NAIVE[kind](own.vault, asked), own)).toBe(true);
        } finally {
          unplant?.();
        }
      },
    );
  }
});
