import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { CHECKS } from "../../src/audit/checks.ts";
import { AttachClient } from "../support/attach-client.ts";
import { BEARER, TOKEN } from "../support/gateway.ts";
import { nest } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";
import { AS_ROOT, AuditedNest, type AuditReport } from "./audited-nest.ts";

const fallen = ({ checks }: AuditReport) =>
  checks.filter(({ outcome }) => outcome === "fell" || outcome === "failed");
const SLOW_MS = 180_000;

describe("nest audit, on the real thing", () => {
  test(
    "all holds, nothing is left behind, and what could not be tried is said",
    async () => {
      await using target = await new AuditedNest().start();
      const state = async () => {
        const ask = async (path: string) => {
          const response = await fetch(`${target.url}${path}`, { headers: BEARER });
          return (await response.json()) as Record<string, unknown>;
        };
        return {
          files: await ask("/api/files?hidden=true&depth=5"),
          browsers: await ask("/api/browsers"),
          lockouts: await ask("/api/lockouts"),
          sessions: await ask("/api/sessions"),
          sockets: (await ask("/api/status"))["sockets"],
        };
      };
      // Nest's own folder for unfinished writes is there from the first write on.
      await fetch(`${target.url}/api/files/note.md`, { method: "PUT", headers: BEARER, body: "x" });
      const before = await state();
      const report = await target.report(...AS_ROOT);
      expect(fallen(report)).toEqual([]);
      const skipped = report.checks.filter(({ outcome }) => outcome === "skipped");
      // TLS and the container are not here; all else was tried.
      expect(skipped.map(({ id }) => id).filter((id) => !/^(?:tls|container)\./.test(id))).toEqual(
        [],
      );
      await until("its sockets are gone", async () => (await state()).sockets === 0);
      expect(await state()).toEqual(before);
      expect(readdirSync(join(target.dir, "vault")).filter((name) => /audit/.test(name))).toEqual(
        [],
      );
    },
    SLOW_MS,
  );

  test(
    "with a hundred sockets and a turn in progress nobody is disturbed",
    async () => {
      await using target = await new AuditedNest().start();
      const attachUrl = `${target.url.replace("http", "ws")}/attach`;
      const clients: AttachClient[] = [];
      for (let i = 0; i < 100; i++)
        clients.push(await new AttachClient(attachUrl, { ...BEARER }).opened());
      const [owner] = clients as [AttachClient];
      await owner.ofType("attached");
      // A turn that is under way from before the first check to behind the last.
      owner.send({
        id: "p",
        type: "prompt",
        message:
          '@tool bash {"command":"until [ -e done ]; do sleep 0.1; done; echo over"}\n@say finished',
      });
      await owner.event("tool_execution_start");
      const report = await target.report("--skip", "slow", ...AS_ROOT);
      expect(fallen(report)).toEqual([]);
      expect(owner.events.some(({ event }) => event.type === "agent_settled")).toBe(false);
      const response = await fetch(`${target.url}/api/files/done`, {
        method: "PUT",
        headers: BEARER,
        body: "",
      });
      expect(response.status).toBe(201);
      await owner.event("agent_settled");
      expect(owner.text).toContain("finished");
      for (const client of clients) {
        expect(client.close).toBeUndefined();
        await client.event("agent_settled");
        // Nobody saw anything of the audit: no event but the turn's, no change in the vault but the one above.
        const paths = client.frames
          .filter(({ type }) => type === "vault")
          .flatMap((frame) => (frame["changes"] as { path: string }[]).map(({ path }) => path));
        expect(paths.filter((path) => path.includes("audit"))).toEqual([]);
        expect(client.frames.filter(({ type }) => type === "error")).toEqual([]);
        // Behind the turn's end one may have heard more than the other by now.
        const length = Math.min(client.events.length, owner.events.length);
        const heard = ({ events }: AttachClient) => events.slice(0, length).map(({ seq }) => seq);
        expect(heard(client)).toEqual(heard(owner));
      }
      for (const client of clients) client.socket.close();
    },
    SLOW_MS,
  );

  test("stopped on the way it leaves nothing behind either", async () => {
    await using target = await new AuditedNest().start();
    const vault = join(target.dir, "vault");
    const scratch = () => readdirSync(vault).filter((name) => name.startsWith(".nest-audit-"));
    expect(await target.stopped(() => scratch().length > 0)).toBe(2);
    expect(scratch()).toEqual([]);
    const response = await fetch(`${target.url}/api/browsers`, { headers: BEARER });
    expect(await response.json()).toEqual({ browsers: [] });
  });

  test("without a token it tries what needs none, and locks nobody out for long", async () => {
    await using target = await new AuditedNest().start();
    const child = await nest(
      [
        "audit",
        target.url,
        "--config",
        target.config,
        "--json",
        "--only",
        "auth,host,socket",
        "--skip",
        "socket.silent,socket.before-auth",
      ],
      { cwd: target.dir },
    );
    const report = JSON.parse(child.stdout) as AuditReport;
    expect(fallen(report)).toEqual([]);
    const skipped = report.checks.filter(({ outcome }) => outcome === "skipped");
    expect(skipped.length).toBeGreaterThan(3);
    for (const { details } of skipped) expect(details[0]).toContain("NEST_TOKEN");
    expect(child.code).toBe(0);
  });

  test("where it has no addresses of its own it makes no guess unless that is agreed to", async () => {
    await using target = await new AuditedNest([], { host: "::1" }).start();
    const quiet = await target.report("--only", "lockout,auth.required,host");
    const outcome = (report: AuditReport, id: string) =>
      report.checks.find((check) => check.id === id)?.outcome;
    expect(outcome(quiet, "lockout.requests")).toBe("skipped");
    expect(outcome(quiet, "auth.required")).toBe("skipped");
    expect(outcome(quiet, "host.names")).toBe("held");
    expect((await fetch(`${target.url}/api/status`, { headers: BEARER })).status).toBe(200);
    const agreed = await target.report("--yes", "--only", "lockout,auth.required");
    expect(outcome(agreed, "auth.required")).toBe("held");
    expect(outcome(agreed, "lockout.requests")).toBe("held");
    // The rest would only meet the lock of the first.
    expect(outcome(agreed, "lockout.webhooks")).toBe("skipped");
    expect((await fetch(`${target.url}/health`)).status).toBe(429);
  });
});

describe("nest audit, its reports", () => {
  test("a table with a line for each check, without colours where nobody sees them; --only and --skip", async () => {
    await using target = await new AuditedNest().start();
    const { code, stdout } = await target.audit(
      "--only",
      "host,request",
      "--skip",
      "request.smuggling",
    );
    expect(code).toBe(0);
    expect(stdout).toContain("held  host.names");
    expect(stdout).not.toContain("request.smuggling");
    expect(stdout).not.toContain("auth.");
    expect(stdout).not.toContain("\x1b");
    expect(stdout).toMatch(/^\d+ held, 0 fell, 0 skipped$/m);
    expect(stdout).not.toContain(TOKEN);
  });

  test("--json and --sarif keep their shape", async () => {
    await using target = await new AuditedNest().start();
    target.configure({
      server: { token: "nest_short-token-000", cors: { origin: "http://notes.example.org" } },
    });
    const json = await target.audit("--json", "--only", "config,host.names");
    expect(json.code).toBe(1);
    const report = JSON.parse(json.stdout) as AuditReport & Record<string, unknown>;
    expect(report).toMatchObject({ schema: 1, version: "0.1.0", exit: 1, url: `${target.url}/` });
    expect(report.summary.fell).toBe(fallen(report).length);
    for (const check of report.checks) {
      expect(Object.keys(check)).toEqual([
        "id",
        "group",
        "severity",
        "title",
        "outcome",
        "details",
        "cases",
        "fix",
        "elapsedMs",
      ]);
    }
    expect(fallen(report).map(({ id }) => id)).toEqual([
      "config.token",
      "config.literal-secrets",
      "config.cors",
    ]);
    const sarif = JSON.parse((await target.audit("--sarif", "--only", "config")).stdout);
    expect(sarif.version).toBe("2.1.0");
    const [run] = sarif.runs;
    expect(run.results.map((one: { ruleId: string }) => one.ruleId)).toEqual([
      "config.token",
      "config.literal-secrets",
      "config.cors",
    ]);
    for (const { ruleId, ruleIndex, message, locations } of run.results) {
      expect(run.tool.driver.rules[ruleIndex].id).toBe(ruleId);
      expect(message.text).not.toBe("");
      expect(locations[0].physicalLocation.artifactLocation.uri).toContain("config.yaml");
    }
    expect(json.stdout).not.toContain("nest_short-token-000");
  });

  test("--config alone needs no server; nest init ends with it", async () => {
    using dir = tempDir();
    const init = await nest(["init", "--yes"], { cwd: dir.path });
    expect(init.code).toBe(0);
    expect(init.stdout).toContain("held  config.valid");
    expect(init.stdout).toMatch(/^\d+ held, 0 fell, 0 skipped$/m);
    const alone = await nest(["audit", "--config", "config.yaml"], { cwd: dir.path });
    expect(alone.code).toBe(0);
    expect(alone.stdout).not.toContain("live");
  });

  test.each(CHECKS.map(({ id }) => ({ id })))("--explain $id tells the whole row", ({ id }) => {
    // The command itself is tried once below: this is about the words.
    const check = CHECKS.find((one) => one.id === id)!;
    for (const text of [
      check.title,
      check.threat,
      check.impact,
      check.mitigation,
      check.attack,
      check.fix,
    ])
      expect(text).not.toBe("");
  });

  test("--explain and --list", async () => {
    using dir = tempDir();
    const explained = await nest(["audit", "--explain", "lockout.sockets"], { cwd: dir.path });
    expect(explained.code).toBe(0);
    for (const text of ["CVE-2026-62220", "Threat", "Fix", "tests/attach/authentication.test.ts"])
      expect(explained.stdout).toContain(text);
    const listed = await nest(["audit", "--list"], { cwd: dir.path });
    expect(listed.stdout.trim().split("\n")).toHaveLength(CHECKS.length);
  });

  test.each([
    { name: "no server", args: ["http://127.0.0.1:1"], words: "no answer" },
    { name: "a wrong URL", args: ["ftp://127.0.0.1"], words: "http or https" },
    { name: "an unknown check", args: ["--only", "nonsense"], words: 'no check "nonsense"' },
    { name: "an unknown id to explain", args: ["--explain", "nonsense"], words: "--list" },
    { name: "two reports at once", args: ["--json", "--sarif"], words: "found both" },
    { name: "a config that is not there", args: ["--config", "none.yaml"], words: "none.yaml" },
  ])("exit 2: $name", async ({ args, words }) => {
    using dir = tempDir();
    const { code, stderr } = await nest(["audit", ...args], { cwd: dir.path });
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });

  test("exit 2: a wrong token, after one guess", async () => {
    await using target = await new AuditedNest().start();
    const { code, stderr } = await nest(["audit", target.url], {
      cwd: target.dir,
      env: {
        PATH: process.env["PATH"] ?? "",
        HOME: target.dir,
        NEST_TOKEN: "nest_wrong-token-00000000",
      },
    });
    expect(code).toBe(2);
    expect(stderr).toContain("refused the token");
    expect((await fetch(`${target.url}/health`)).status).toBe(200);
  });
});

describe("the threat model", () => {
  const root = join(import.meta.dir, "../..");

  test("no row lacks anything, ids are unique, and each test is there", () => {
    expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
    for (const check of CHECKS) {
      expect(check.id).toMatch(/^[a-z]+\.[a-z0-9-]+$/);
      for (const field of [
        "title",
        "threat",
        "impact",
        "mitigation",
        "attack",
        "fix",
        "test",
      ] as const)
        expect({ id: check.id, field, text: check[field].length > 5 }).toEqual({
          id: check.id,
          field,
          text: true,
        });
      expect({ id: check.id, cases: check.cases.length > 0 }).toEqual({
        id: check.id,
        cases: true,
      });
      expect({ id: check.id, test: existsSync(join(root, check.test)) }).toEqual({
        id: check.id,
        test: true,
      });
    }
  });

  test("SECURITY.md and docs/threat-model.md are what the table makes", async () => {
    const { documents } = await import("../../packaging/docs.ts");
    const made = documents();
    expect(made.size).toBe(2);
    for (const [path, text] of made)
      expect({ path, isCurrent: readFileSync(join(root, path), "utf8") === text }).toEqual({
        path,
        isCurrent: true,
      });
    for (const { id } of CHECKS) {
      expect(made.get("SECURITY.md")).toContain(`\`${id}\``);
      expect(made.get("docs/threat-model.md")).toContain(`### ${id}\n`);
    }
  });
});
