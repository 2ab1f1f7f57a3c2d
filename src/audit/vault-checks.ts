import { spawnSync } from "node:child_process";
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type Check, Skipped } from "./check.ts";
import type { Client } from "./client.ts";
import { parseAnswer } from "./http-answer.ts";
import type { Scratch } from "./scratch.ts";
import { targetOf, type World } from "./world.ts";

/** What no answer may hold: it lies outside the vault. */
const SECRET = "nest-audit: this lies outside the vault";
/** How long folders are swapped under the server, ms: at least, and until so many reads were tried, or at most. */
const RACE_MS = 1500;
const RACE_READS = 4000;
const RACE_MOST_MS = 8000;
/** Swaps between the readers' turns, ms: about what the server needs for all that was asked in one. */
const BURST_MS = 6;
const RACERS = 8;

const UNFIT = "update Nest; until then give no token with a vault scope away";

export const VAULT_CHECKS: readonly Check[] = [
  {
    id: "vault.traversal",
    group: "live",
    title: "no path leads out of the vault",
    threat: "`..` in one of its spellings, an absolute path, a backslash",
    severity: "critical",
    impact: "every file that Nest's user can read or write, its config among them",
    mitigation:
      "paths are decoded once and refused, not repaired, if they are not canonical; 403 for attempts to leave",
    attack:
      "eleven spellings, read, written and deleted below a scratch folder; what they name is not there, so nothing could be hurt",
    cases: ["CVE-2025-30208", "CVE-2026-23950", "CVE-2026-35397", "CVE-2026-22171"],
    fix: UNFIT,
    test: "tests/attack/vault-paths.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const owner = targetOf(world).owner();
      const base = await scratchOf(world).open();
      const fell: string[] = [];
      for (const path of ESCAPES) {
        for (const method of ["GET", "PUT"]) {
          const full = `${base}/${path}nest-audit-missing`;
          const answer = await owner.request({
            method,
            path: full,
            ...(method === "PUT" && { body: "x", headers: { "If-Match": '"none"' } }),
          });
          if (answer.status !== 403 && answer.status !== 400)
            fell.push(`${method} ${path}…: ${answer.status}, expected 403`);
        }
      }
      const list = await owner.request({ path: `/api/files?dir=${scratchOf(world).name}/../..` });
      if (list.status !== 403) fell.push(`a list of ../..: ${list.status}, expected 403`);
      const move = await owner.request({
        method: "POST",
        path: "/api/move",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ from: `${scratchOf(world).name}/missing`, to: "../nest-audit-out" }),
      });
      if (move.status !== 403 && move.status !== 404)
        fell.push(`a move to ../: ${move.status}, expected 403`);
      return fell;
    },
  },
  {
    id: "vault.links",
    group: "live",
    title: "no link leads out of the vault",
    threat:
      "a link in the vault, made by the agent or brought along in an archive, to a file outside",
    severity: "critical",
    impact: "every file that Nest's user can read or write",
    mitigation:
      "links are followed as far as they stay inside; each folder is opened in the one before it, without following",
    attack:
      "links to a folder, to a file and to nothing outside, and a link in the middle of a path: read, listed, written",
    cases: ["CVE-2026-54094", "GHSA-239w-m3h6-ch8v", "CVE-2026-27523", "CVE-2026-32020"],
    fix: UNFIT,
    test: "tests/attack/vault-table.test.ts",
    needs: ["server", "token", "vault"],
    async run(world) {
      const owner = targetOf(world).owner();
      const outside = world.outside();
      const folder = await scratchOf(world).folder();
      const base = `${await scratchOf(world).open()}/links`;
      mkdirSync(join(folder, "links"), { recursive: true });
      writeFileSync(join(outside, "secret"), SECRET);
      symlinkSync(outside, join(folder, "links/folder"));
      symlinkSync(join(outside, "secret"), join(folder, "links/file"));
      symlinkSync(join(outside, "new"), join(folder, "links/dangling"));
      const fell: string[] = [];
      const reads = ["file", "folder/secret", "dangling"];
      for (const path of reads) {
        const { status, body } = await owner.request({ path: `${base}/${path}` });
        if (status !== 403 || body.includes(SECRET))
          fell.push(`GET of a link outside (${path}): ${status}, expected 403`);
      }
      for (const path of ["dangling", "folder/new", "folder/made/new"]) {
        const { status } = await owner.request({
          method: "PUT",
          path: `${base}/${path}`,
          body: "x",
        });
        if (status !== 403)
          fell.push(`PUT through a link outside (${path}): ${status}, expected 403`);
      }
      // What is written to a link by its name must not end up where it leads.
      if (existsSync(join(outside, "new")) || existsSync(join(outside, "made")))
        fell.push("a file was written outside the vault");
      const dir = `${scratchOf(world).name}/links/folder`;
      const list = await owner.request({ path: `/api/files?dir=${dir}` });
      if (list.status !== 403)
        fell.push(`a list through a link outside: ${list.status}, expected 403`);
      if (readFileSync(join(outside, "secret"), "utf8") !== SECRET)
        fell.push("a file outside the vault was changed");
      return fell;
    },
  },
  {
    id: "vault.race",
    group: "live",
    title: "no swap between a check and its use leads out of the vault",
    threat: "swapping a folder for a link while a request is under way, over and over",
    severity: "high",
    impact: "every file that Nest's user can read or write",
    mitigation: "a walk of folders held open: what is checked is what is used",
    attack:
      "a folder of the scratch folder is swapped for a link outside for two to eight seconds, and read all the while",
    cases: ["CWE-367", "CVE-2026-54094"],
    fix: UNFIT,
    test: "tests/attack/vault-race.test.ts",
    needs: ["server", "token", "vault"],
    deadlineMs: 30_000,
    async run(world) {
      return race(world);
    },
  },
  {
    id: "vault.special-files",
    group: "live",
    title: "a pipe in the vault stops nobody",
    threat: "a FIFO in the vault: who opens it waits for ever",
    severity: "medium",
    impact: "Nest hangs, for everybody",
    mitigation: "pipes, sockets and devices are 403, and never opened for real",
    attack: "a FIFO is made in the scratch folder and read",
    cases: ["CWE-400"],
    fix: "update Nest",
    test: "tests/attack/vault-fifo.test.ts",
    needs: ["server", "token", "vault"],
    async run(world) {
      const path = join(await scratchOf(world).folder(), "pipe");
      const made = spawnSync("mkfifo", [path]);
      if (made.status !== 0) throw new Skipped("there is no mkfifo here");
      const owner = targetOf(world).owner();
      const { status } = await owner.raw(
        owner.bytesOf({ path: `${await scratchOf(world).open()}/pipe` }, { Connection: "close" }),
        3000,
      );
      // Whoever waits for the other end has it now.
      closeSync(openSync(path, constants.O_RDWR | constants.O_NONBLOCK));
      return status === 403
        ? []
        : [status === 0 ? "reading a FIFO hangs" : `reading a FIFO: ${status}, expected 403`];
    },
  },
  {
    id: "vault.types",
    group: "live",
    title: "no file of the vault acts as a page of Nest's",
    threat: "an HTML, SVG or script file in the vault, opened in the owner's browser",
    severity: "high",
    impact: "a script with Nest's origin, and with it the owner's token",
    mitigation:
      "types from an allow-list, HTML, SVG, XML and scripts as text, nosniff, and a sandbox without scripts on every file",
    attack: "files with eleven endings are written, and their types and policies read",
    cases: ["CVE-2026-53841", "CVE-2024-35225", "CVE-2026-22813", "CWE-79"],
    fix: "let the proxy pass these headers on; else update Nest",
    test: "tests/http/files.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const owner = targetOf(world).owner();
      const base = await scratchOf(world).open();
      const fell: string[] = [];
      const active = /html|svg|xml|javascript|ecmascript|css|x-shockwave|multipart/;
      for (const ending of [
        "html",
        "htm",
        "xhtml",
        "svg",
        "xml",
        "xsl",
        "js",
        "mjs",
        "css",
        "mht",
        "HTML",
      ]) {
        const path = `${base}/page.${ending}`;
        await owner.request({ method: "PUT", path, body: "<script>1</script>" });
        const { status, headers } = await owner.request({ path });
        const type = headers.get("content-type") ?? "";
        if (status !== 200) fell.push(`a written .${ending} file: ${status}, expected 200`);
        if (active.test(type)) fell.push(`.${ending} is sent as ${type}`);
        if (headers.get("x-content-type-options") !== "nosniff")
          fell.push(`.${ending} without nosniff`);
        const policy = headers.get("content-security-policy") ?? "";
        if (!/(?:^|; ?)sandbox(?:;|$)/.test(policy) || !policy.includes("default-src 'none'"))
          fell.push(`.${ending} without a sandbox`);
      }
      return fell;
    },
  },
  {
    id: "vault.body-limit",
    group: "live",
    title: "a body over its limit is refused before it is read",
    threat: "filling disk or memory with one request",
    severity: "medium",
    impact: "Nest, or the machine, stops",
    mitigation:
      "413 from `Content-Length`, or in mid-way where there is none; 415 for compressed bodies",
    attack:
      "bodies are announced and not sent: 2^50 bytes for the vault, 300 KiB for a webhook, and a compressed one",
    cases: ["oven-sh/bun#27507", "CVE-2026-111497", "CVE-2026-29612"],
    fix: "look at vault.maxFileBytes; update Nest",
    test: "tests/http/body.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const owner = targetOf(world).owner();
      const base = await scratchOf(world).open();
      const json = { "Content-Type": "application/json" };
      const rows = [
        [
          "a file of 2^50 bytes",
          413,
          { method: "PUT", path: `${base}/large`, headers: { "Content-Length": String(2 ** 50) } },
        ],
        [
          "a webhook of 300 KiB",
          413,
          {
            method: "POST",
            path: "/api/webhook",
            headers: { ...json, "Content-Length": "307200" },
          },
        ],
        [
          "a chunked webhook of 300 KiB",
          413,
          {
            method: "POST",
            path: "/api/webhook",
            headers: { ...json, "Transfer-Encoding": "chunked" },
            body: `4b000\r\n${"x".repeat(0x4b000)}\r\n0\r\n\r\n`,
          },
        ],
        [
          "a move of 1 MiB",
          413,
          { method: "POST", path: "/api/move", headers: { ...json, "Content-Length": "1048576" } },
        ],
        [
          "a compressed file",
          415,
          {
            method: "PUT",
            path: `${base}/bomb`,
            headers: { "Content-Encoding": "gzip" },
            body: "x",
          },
        ],
      ] as const;
      const fell: string[] = [];
      for (const [what, expected, request] of rows) {
        const isChunked = "Transfer-Encoding" in request.headers;
        let bytes = owner.bytesOf(request, { Connection: "close" });
        if (isChunked) bytes = bytes.replace(/Content-Length: \d+\r\n/, "");
        const { status } = await owner.raw(bytes, 3000);
        if (status !== expected)
          fell.push(`${what}: ${status || "it is waited for"}, expected ${expected}`);
      }
      return fell;
    },
  },
  {
    id: "vault.conditions",
    group: "live",
    title: "a write that rests on an old version is refused",
    threat: "two clients, or a client and the agent, writing one note",
    severity: "low",
    impact: "the work of one of them is lost without a word",
    mitigation:
      "strong ETags of the content; `If-Match` and `If-None-Match: *` are decided in one step with the write",
    attack: "a file is written twice on the same version, and again as if it were new",
    cases: ["CWE-362"],
    fix: "update Nest",
    test: "tests/http/conditional.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const owner = targetOf(world).owner();
      const path = `${await scratchOf(world).open()}/note.md`;
      const first = await owner.request({ method: "PUT", path, body: "1" });
      const etag = first.headers.get("etag") ?? "";
      const write = (headers: Record<string, string>) =>
        owner.request({ method: "PUT", path, body: "2", headers });
      const fell: string[] = [];
      const second = await write({ "If-Match": etag });
      if (second.status !== 200)
        fell.push(`a write on the newest version: ${second.status}, expected 200`);
      const third = await write({ "If-Match": etag });
      if (third.status !== 412)
        fell.push(`a write on an old version: ${third.status}, expected 412`);
      const fourth = await write({ "If-None-Match": "*" });
      if (fourth.status !== 412)
        fell.push(`a new file over an old one: ${fourth.status}, expected 412`);
      return fell;
    },
  },
];

const ESCAPES = [
  "..%2f..%2f",
  "%2e%2e%2f%2e%2e%2f",
  "a%2f..%2f..%2f..%2f",
  "..%5c..%5c",
  "%2fetc%2f",
  "/",
  "..%2f",
  "x%2f%2e%2e%2f..%2f",
  "%00/",
  ".%2f",
  "%ff%fe/",
];

function scratchOf({ scratch }: World): Scratch {
  if (scratch === undefined) throw new Skipped("no scratch folder");
  return scratch;
}

/**
 * Swaps a folder and a link in a loop of two renames while clients read through it. The server is another process, so
 * the swaps fall between its steps wherever they lie.
 */
async function race(world: World): Promise<readonly string[]> {
  const owner = targetOf(world).owner();
  const outside = world.outside();
  const folder = join(await scratchOf(world).folder(), "race");
  const path = `${await scratchOf(world).open()}/race/at/file`;
  mkdirSync(join(folder, "at"), { recursive: true });
  writeFileSync(join(folder, "at/file"), "inside");
  writeFileSync(join(outside, "file"), SECRET);
  symlinkSync(outside, join(folder, "link"));
  const startMs = world.clock.monotonicMs();
  let leaked = 0;
  let read = 0;
  /** A busy machine gets more time, and one leak is enough. */
  const isOn = () => {
    const elapsedMs = world.clock.monotonicMs() - startMs;
    return leaked === 0 && (elapsedMs < RACE_MS || (read < RACE_READS && elapsedMs < RACE_MOST_MS));
  };
  const readers = Array.from({ length: RACERS }, async () => {
    while (isOn()) {
      const answers = await pipelined(owner, path);
      read += answers.length;
      leaked += answers.filter((body) => body.includes(SECRET)).length;
    }
  });
  const [at, away, link] = ["at", "away", "link"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  while (isOn()) {
    const burstMs = world.clock.monotonicMs() + BURST_MS;
    while (world.clock.monotonicMs() < burstMs) {
      renameSync(at, away);
      renameSync(link, at);
      renameSync(at, link);
      renameSync(away, at);
    }
    // The readers' turn.
    await new Promise<void>((resolve) => world.clock.after(0, resolve));
  }
  await Promise.all(readers);
  rmSync(folder, { recursive: true, force: true });
  if (read === 0) throw new Skipped("nothing was read in time");
  return leaked === 0
    ? []
    : [`${leaked} of ${read} reads during swaps came from outside the vault`];
}

/** Several requests on one connection, and the bodies of their answers. */
async function pipelined(owner: Client, path: string): Promise<string[]> {
  const count = 16;
  using connection = owner.connect();
  const bytes = owner.bytesOf({ path }, {});
  connection.write(bytes.repeat(count - 1) + owner.bytesOf({ path }, { Connection: "close" }));
  await connection.closed(4000);
  const bodies: string[] = [];
  let rest: Buffer = connection.received;
  for (let i = 0; i < count; i++) {
    const answer = parseAnswer(rest, true);
    if (answer === undefined) break;
    bodies.push(answer.body);
    rest = Buffer.from(answer.rest, "latin1");
  }
  return bodies;
}
