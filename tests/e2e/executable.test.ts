import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import manifest from "../../package.json" with { type: "json" };
import { shippedPackages } from "../../packaging/lockfile.ts";
import { emptyRootObstacle, makeEmptyRoot, runWithRoot } from "../support/empty-root.ts";
import { bareEnv } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";

const root = join(import.meta.dir, "../..");
const built = tempDir();
const executable = join(built.path, "nest");
afterAll(() => built[Symbol.dispose]());

beforeAll(async () => {
  const build = Bun.spawn(
    [process.execPath, "--no-env-file", join(root, "packaging/build.ts"), "--outdir", built.path],
    { cwd: root, stdout: "ignore", stderr: "inherit" },
  );
  expect(await build.exited).toBe(0);
}, 120_000);

async function run(args: readonly string[], cwd: string, env: Record<string, string> = {}) {
  const child = Bun.spawn([executable, ...args], {
    cwd,
    env: bareEnv(cwd, env),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { code: await child.exited, stdout, stderr };
}

const obstacle = emptyRootObstacle();
if (obstacle !== undefined) console.warn(`skipped: the empty root ${obstacle}`);

describe("the single executable", () => {
  test("tells its version, its commit, its parts and their licences", async () => {
    expect((await run(["--version"], built.path)).stdout).toBe(`${manifest.version}\n`);
    const { stdout } = await run(["--version", "--verbose"], built.path);
    expect(stdout).toMatch(/^commit +[0-9a-f]{40}(?:-modified)?$|^commit +unknown$/m);
    expect(stdout).toMatch(/^pi +0\.87\.1$/m);
    for (const name of ["hono", "valibot", "yaml", "@earendil-works/pi-coding-agent"])
      expect(stdout).toMatch(new RegExp(`^  ${name} \\d\\S+ (?:MIT|ISC)$`, "m"));
    const texts = (await run(["--version", "--licences"], built.path)).stdout;
    expect(texts).toContain("Permission is hereby granted, free of charge");
    expect(texts).toContain("Apache License");
  });

  test("the checksums are those of the files, the SBOM names all that ships and nothing of development", () => {
    const sums = readFileSync(join(built.path, "SHA256SUMS"), "utf8").trim().split("\n");
    expect(sums).toHaveLength(3);
    for (const line of sums) {
      const [digest, name = ""] = line.split("  ");
      const content = readFileSync(join(built.path, name));
      expect(new Bun.CryptoHasher("sha256").update(content).digest("hex")).toBe(digest!);
    }
    const bom = JSON.parse(readFileSync(join(built.path, "nest.cdx.json"), "utf8"));
    expect(bom).toMatchObject({ bomFormat: "CycloneDX", specVersion: "1.6" });
    const refs = new Set<string>(
      bom.components.map((part: { "bom-ref": string }) => part["bom-ref"]),
    );
    expect(refs.size).toBe(shippedPackages(root).size + 1);
    expect([...refs].some((ref) => ref.includes("npm/hono@"))).toBe(true);
    expect([...refs].some((ref) => ref.includes("npm/oxlint@"))).toBe(false);
    for (const { ref, dependsOn } of bom.dependencies) {
      if (ref !== bom.metadata.component["bom-ref"]) expect(refs).toContain(ref);
      for (const other of dependsOn) expect(refs).toContain(other);
    }
  });

  test("reads no .env and no bunfig.toml of the current folder, as Nest or as pi", async () => {
    using dir = tempDir();
    const marker = join(dir.path, "ran");
    writeFileSync(
      join(dir.path, "evil.ts"),
      `require("fs").writeFileSync(${JSON.stringify(marker)}, "");`,
    );
    writeFileSync(join(dir.path, "bunfig.toml"), 'preload = ["./evil.ts"]\n');
    writeFileSync(
      join(dir.path, ".env"),
      "NEST_TOKEN=from-the-folder\nANTHROPIC_API_KEY=from-the-folder\n",
    );
    const attach = await run(["attach", "http://127.0.0.1:1", "--print", "x"], dir.path);
    expect(attach.stderr).toContain("no token");
    const pi = await run(["--nest-agent-process", "--list-models"], dir.path, { PI_OFFLINE: "1" });
    expect(`${pi.stdout}${pi.stderr}`).not.toContain("anthropic");
    expect(existsSync(marker)).toBe(false);
  });

  test.skipIf(obstacle !== undefined)(
    "alone in an empty root, without a network: every command works, pi runs in it, and nothing is unpacked",
    async () => {
      using dir = tempDir();
      const inside = join(dir.path, "root");
      mkdirSync(inside);
      makeEmptyRoot(inside, executable);
      const { code, stdout, stderr } = await runWithRoot(
        inside,
        `
in_root /nest --version
in_root /nest --help | head -n 1
in_root /nest token | in_root /nest token --hash
in_root /nest serve --demo >"${dir.path}/out" 2>"${dir.path}/log" &
tries=0
until in_root /nest health 2>/dev/null; do tries=$((tries + 1)); [ $tries -lt 300 ]; sleep 0.1; done
NEST_TOKEN=$(sed -n 's/^ *token  *//p' "${dir.path}/out")
in_root /nest attach --print '@tool write {"path":"made.txt","content":"by pi"}
@say written'
in_root /nest attach --json --print '@say as json' | grep -c '"type":"agent_settled"'
`,
      );
      expect({ code, stderr }).toMatchObject({ code: 0 });
      expect(stdout).toMatch(/^\d+\.\d+\.\d+\nNest: /);
      expect(stdout).toMatch(/^sha256:[0-9a-f]{64}$/m);
      expect(stdout).toMatch(/^written$/m);
      expect(stdout).toMatch(/^1$/m);
      expect(stderr).toContain("> write made.txt");
      expect(readFileSync(join(inside, "vault/made.txt"), "utf8")).toBe("by pi");
      // What was written lies where Nest and pi keep their own things; no code is among it.
      const files = [...new Bun.Glob("**/*").scanSync({ cwd: inside, dot: true })].filter(
        (path) => !/^(?:proc|dev|lib|lib64|usr)\//.test(path) && path !== "nest",
      );
      expect(
        files.filter(
          (path) => !/^(?:config\.yaml$|vault\/|sessions\/|home\/\.pi\/agent\/)/.test(path),
        ),
      ).toEqual([]);
      expect(files.filter((path) => /\.(?:[cm]?[jt]s|node|so|wasm)$/.test(path))).toEqual([]);
    },
    60_000,
  );
});
