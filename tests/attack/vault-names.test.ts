import { expect, test } from "bun:test";
import { existsSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { testGateway } from "../support/gateway.ts";
import { bytesOf } from "../support/naive-files.ts";
import { randomFrom } from "../support/random.ts";
import { mkfifo } from "../support/vault.ts";
import { jsonOf, OPERATIONS, sendOperation } from "../support/vault-operations.ts";
import {
  hasSecretInside,
  insideState,
  outsideState,
  plantWorld,
  SECRET,
  type World,
  worldIn,
} from "../support/vault-world.ts";

/** Hostile paths that are made up, of the pieces that attacks are made of. A failure names the seed to have it again. */
const SEED = Number(process.env["NEST_SEED"] ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const CASES = Number(process.env["NEST_CASES"] ?? 400);
/** After so many the vault is as it was in the beginning. */
const CASES_A_WORLD = 20;

const PIECES = [
  ..."/ / / / .. .. .. . .... ..; \\ \\..\\ // note.md sub inner.md new moved way out loop self fifo".split(
    " ",
  ),
  ..."outside secret.txt vault vault-secret folder proc self status etc passwd .trash .nest-tmp".split(
    " ",
  ),
  ..."～ ． ／ ∕ ‥ \u00e4 a\u0308 😀 \ufeff \u202e \u200b \u00a0 \ufffd".split(" "),
  ..."\0 \r\n \n \t : * ? # % & + = ; ~ $ ' \" < > | %2e %2f %5c %00 %252e %c0%ae".split(" "),
  " ",
  "\r\nX-Injected: 1\r\n\r\n",
  "n".repeat(128),
  "n".repeat(255),
  "d/".repeat(40),
  "../".repeat(12),
];
/** No UTF-8, to be put in as they are. */
const BYTES = ["%ff", "%c0%ae", "%c0%af", "%ed%a0%80", "%e2%82", "%f8%80%80%80%af", "%80"];
/** What a request's target can't hold as it is: it would be another request, or another part of the URL. */
const UNSAFE = /[^!-~]|[?#]/gu;
/** Bun tidies these away before anybody sees them. */
const TIDIED = /\\|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;
const NEVER = new Set([500, 501, 502, 503, 504, 507, 0]);

function madeUp(random: () => number): string {
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)] as T;
  let path = "";
  for (let left = 1 + Math.floor(random() * 8); left > 0; left--) {
    if (random() < 0.1) {
      path += pick(BYTES);
      continue;
    }
    const piece = pick(PIECES);
    const how = random();
    if (how < 0.4) path += piece.replaceAll("%", "%25").replaceAll(UNSAFE, encodeURIComponent);
    else if (how < 0.8) path += encodeURIComponent(piece);
    else if (how < 0.9) path += Buffer.from(piece).toHex().replaceAll(/../g, "%$&");
    else path += encodeURIComponent(encodeURIComponent(piece));
  }
  return path;
}

function plantTraps(world: World): void {
  plantWorld(world);
  symlinkSync("../outside", join(world.vault, "way"));
  symlinkSync("../outside/secret.txt", join(world.vault, "out"));
  symlinkSync("loop", join(world.vault, "loop"));
  symlinkSync(".", join(world.vault, "self"));
  mkfifo(join(world.vault, "fifo"));
}

test("whatever path is made up: nothing outside is reached, told or changed, and a refusal changes nothing", async () => {
  const random = randomFrom(SEED);
  await using nest = testGateway({ prepare: (dir) => plantWorld(worldIn(dir)) });
  const world = worldIn(nest.dir);
  const statuses = new Map<number, number>();
  for (let n = 0; n < CASES; n++) {
    if (n % CASES_A_WORLD === 0) plantTraps(world);
    const path = madeUp(random);
    const operation = OPERATIONS[
      Math.floor(random() * OPERATIONS.length)
    ] as (typeof OPERATIONS)[number];
    const name = `NEST_SEED=${SEED}, case ${n}: ${operation} ${path}`;
    const outside = outsideState(world);
    const inside = insideState(world);
    const { status, head, body } = await sendOperation(nest.port, operation, path, jsonOf(path));
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const text = `${head}\n${body.toString()}`;
    expect([name, NEVER.has(status) ? status : 0]).toEqual([name, 0]);
    expect([name, text.includes(SECRET), hasSecretInside(world)]).toEqual([name, false, false]);
    expect([name, /^x-injected:/im.test(text)]).toEqual([name, false]);
    expect([name, outsideState(world)]).toEqual([name, outside]);
    if (status >= 400) expect([name, insideState(world)]).toEqual([name, inside]);
    if (["GET", "HEAD", "list"].includes(operation)) {
      expect([name, insideState(world)]).toEqual([name, inside]);
    }
    // JSON and ?dir= reach the vault as they are: what means to leave is told so, or is no path at all.
    const names = bytesOf(path).toString().split("/");
    if (["move from", "move to", "move over", "list"].includes(operation) && names.includes("..")) {
      expect([name, [400, 403].includes(status)]).toEqual([name, true]);
    }
    // A file that was made lies under the very name that was said.
    if (operation === "PUT" && status === 201 && !TIDIED.test(path)) {
      expect([name, existsSync(join(world.vault, bytesOf(path).toString()))]).toEqual([name, true]);
    }
  }
  console.log(`NEST_SEED=${SEED}: ${JSON.stringify(Object.fromEntries(statuses))}`);
  // They are neither all refused nor all taken.
  expect([...statuses.keys()].some((status) => status < 300)).toBe(true);
  expect(statuses.get(403) ?? 0).toBeGreaterThan(0);
  expect(statuses.get(400) ?? 0).toBeGreaterThan(0);
}, 120_000);
