import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { tempDir } from "../../support/temp-dir.ts";
import { missing, run, tellSkipped } from "../container/run.ts";

setDefaultTimeout(60_000);

const UNIT = resolve(import.meta.dir, "..", "..", "..", "native", "nest.service");

const needs = missing("systemd-analyze");
tellSkipped("the systemd unit", needs);

describe.skipIf(needs !== "")("native/nest.service", () => {
  test("systemd understands every line of it", async () => {
    using dir = tempDir();
    // The programs are where an owner puts them, which is not here.
    const unit = readFileSync(UNIT, "utf8").replace(/^ExecStart=\S+/m, "ExecStart=/bin/true");
    const file = join(dir.path, "nest.service");
    writeFileSync(file, unit);
    const { code, stdout, stderr } = await run(["systemd-analyze", "verify", "--man=no", file]);
    expect({ code, said: stdout + stderr }).toEqual({ code: 0, said: "" });
  });

  test("its exposure is 1.5 of 10 or less", async () => {
    const score = (file: string) =>
      run(["systemd-analyze", "security", "--offline=true", "--threshold=15", file]);
    expect((await score(UNIT)).code).toBe(0);
    // And it is measured: without the filter of system calls it is more.
    using dir = tempDir();
    const file = join(dir.path, "nest.service");
    writeFileSync(file, readFileSync(UNIT, "utf8").replaceAll(/^SystemCallFilter=.*$/gm, ""));
    expect((await score(file)).code).not.toBe(0);
  });
});

const tracing = missing("systemd-analyze", "strace");
tellSkipped("the unit's filter of system calls", tracing);

describe.skipIf(tracing !== "")("the unit's SystemCallFilter", () => {
  test("Nest, pi and a tool call use nothing that it refuses", async () => {
    using dir = tempDir();
    const trace = join(dir.path, "trace");
    const repository = resolve(import.meta.dir, "..", "..", "..");
    writeFileSync(join(dir.path, "config.yaml"), `server: { port: 0, token: ${"x".repeat(40)} }\n`);
    // Runs a turn against itself and then stops it: one program for strace to follow.
    const program = join(dir.path, "turn.ts");
    writeFileSync(
      program,
      `const nest = Bun.spawn([process.execPath, "--no-env-file", ${JSON.stringify(join(repository, "src", "main.ts"))}, "serve", "--demo"], { cwd: ${JSON.stringify(dir.path)}, stdout: "pipe", stderr: "ignore", stdin: "ignore" });
let out = "";
for await (const chunk of nest.stdout) { out += new TextDecoder().decode(chunk); if (/listening +http\\S+/.test(out)) break; }
const url = /listening +http(\\S+)/.exec(out)[1];
const socket = new WebSocket("ws" + url + "/attach", { headers: { Authorization: "Bearer ${"x".repeat(40)}" } });
await new Promise((done) => { socket.onmessage = ({ data }) => {
  const frame = JSON.parse(data);
  if (frame.type === "attached") socket.send(JSON.stringify({ type: "prompt", message: '@tool bash {"command":"ls && date"}\\n@say ok' }));
  if (frame.event?.type === "agent_settled") done();
}; });
nest.kill("SIGTERM");
console.log("code", await nest.exited);
`,
    );
    const { stdout } = await run(
      ["strace", "--follow-forks", "--seccomp-bpf", "-qq", "-o", trace, process.execPath, program],
      { timeoutMs: 90_000, env: { HOME: dir.path } },
    );
    expect(stdout).toContain("code 0");

    const sets = new Map<string, string[]>();
    let current = "";
    for (const line of (await run(["systemd-analyze", "syscall-filter"])).stdout.split("\n")) {
      if (line.startsWith("@")) sets.set((current = line.trim()), []);
      else if (/^ +[@\w]/.test(line)) sets.get(current)?.push(line.trim());
    }
    const members = (name: string): string[] =>
      (sets.get(name) ?? []).flatMap((entry) => (entry.startsWith("@") ? members(entry) : entry));
    // The unit's own lines, in their order: `~` takes away (systemd.exec(5)).
    const allowed = new Set<string>();
    for (const [, not, set = ""] of readFileSync(UNIT, "utf8").matchAll(
      /^SystemCallFilter=(~?)(@[\w-]+)$/gm,
    )) {
      for (const name of members(set)) {
        if (not === "~") allowed.delete(name);
        else allowed.add(name);
      }
    }
    expect(allowed.size).toBeGreaterThan(200);
    const used = new Set(
      [...readFileSync(trace, "utf8").matchAll(/^\d+ +(\w+)\(/gm)].map(([, name]) => name ?? ""),
    );
    expect(used.size).toBeGreaterThan(40);
    expect([...used].filter((name) => !allowed.has(name))).toEqual([]);
  }, 120_000);
});
