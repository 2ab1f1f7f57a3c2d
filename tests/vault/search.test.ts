import {
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "../../src/cli/clock.ts";
import { type Found, Search, type SearchOptions } from "../../src/vault/search.ts";
import { Root } from "../../src/vault/walk.ts";
import { processesWith } from "../support/nest-process.ts";
import { swap } from "../support/swapper.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const RIPGREP = Bun.which("rg") ?? undefined;

// Waits for what comes, however slow the machine: a time limit would tell of the machine.
setDefaultTimeout(60_000);

let dir: ReturnType<typeof tempDir>;
let vault: string;
let outside: string;
let root: Root;
beforeEach(() => {
  dir = tempDir();
  vault = join(dir.path, "vault");
  outside = join(dir.path, "outside");
  mkdirSync(vault);
  mkdirSync(outside);
  root = Root.open(vault);
});
afterEach(() => {
  root.close();
  dir[Symbol.dispose]();
});

function put(path: string, content: string | Uint8Array = ""): void {
  mkdirSync(join(vault, path, ".."), { recursive: true });
  writeFileSync(join(vault, path), content);
}

/** `path:line: text`, as grep writes it. */
const lines = ({ matches }: Found) =>
  matches.map(({ path, line, text }) => `${path}:${line}: ${text}`);

/** Descriptors for the test's folder: others come and go with the test runner. */
function descriptors(): number {
  return readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(dir.path);
    } catch {
      return false;
    }
  }).length;
}

const engines: { name: string; ripgrep: () => string | undefined }[] = [
  { name: "by itself", ripgrep: () => undefined },
  ...(RIPGREP === undefined ? [] : [{ name: "with ripgrep", ripgrep: () => RIPGREP }]),
];

// .ci/run installs it.
test.skipIf(RIPGREP === undefined)("ripgrep is installed, so that it is tried here", () => {
  expect(RIPGREP).toBeDefined();
});

describe.each(engines)("Search, $name", ({ ripgrep }) => {
  const find = async (query: string, options?: SearchOptions) =>
    new Search({ root, clock: systemClock, ripgrep: ripgrep() }).find(query, options);

  test("finds lines and names, by path and then by line", async () => {
    put("plan.md", "# Plan\nnothing\nthe plan\r\n");
    put("a/plans/z.md", "a plan");
    put("a.md", "planned");
    put("b.md", "nothing");
    expect(lines(await find("plan"))).toEqual([
      "a.md:1: planned",
      "a/plans:0: plans",
      "a/plans/z.md:1: a plan",
      "plan.md:0: plan.md",
      "plan.md:1: # Plan",
      "plan.md:3: the plan",
    ]);
  });

  test.each([
    { name: "any case", content: "ÄRGER", query: "ärger", isFound: true },
    { name: "capitals of the query too", content: "nest", query: "NEST", isFound: true },
    { name: "composed in decomposed", content: "cafe\u0301", query: "caf\u00e9", isFound: true },
    { name: "decomposed in composed", content: "caf\u00e9", query: "cafe\u0301", isFound: true },
    { name: "a dot is a dot", content: "abc", query: "a.c", isFound: false },
    { name: "a dot is found", content: "a.c", query: "a.c", isFound: true },
    { name: "a star", content: "2 * 3 (of *)", query: "* 3 (", isFound: true },
    {
      name: "an expression that blows up",
      content: "a".repeat(5000),
      query: "(a+)+$",
      isFound: false,
    },
    { name: "a backslash", content: "C:\\new", query: "\\n", isFound: true },
    { name: "an option", content: "x --pre=sh x", query: "--pre=sh", isFound: true },
    { name: "a dash alone", content: "a - b", query: "-", isFound: true },
    { name: "braces and a hash", content: "${x} #{y}", query: "} #{", isFound: true },
    { name: "spaces count", content: "a  b", query: "a b", isFound: false },
    { name: "an emoji", content: "x🔑y", query: "🔑", isFound: true },
    { name: "a tab", content: "a\tb", query: "\t", isFound: true },
    { name: "not over the end of a line", content: "a\nb", query: "ab", isFound: false },
    { name: "the last line without its newline", content: "x\nlast", query: "last", isFound: true },
    {
      name: "behind bytes that are no UTF-8",
      content: Buffer.from("\xff\xfe word", "latin1"),
      query: "word",
      isFound: true,
    },
    {
      name: "a binary file",
      content: Buffer.from("word\n\0word\n"),
      query: "word",
      isFound: false,
    },
    { name: "an empty file", content: "", query: "x", isFound: false },
    {
      name: "256 characters",
      content: `<${"é".repeat(256)}>`,
      query: "é".repeat(256),
      isFound: true,
    },
  ])("$name", async ({ content, query, isFound }) => {
    put("0", content);
    expect((await find(query)).matches.length).toBe(isFound ? 1 : 0);
  });

  test.each([
    { name: "nothing", query: "" },
    { name: "257 characters", query: "x".repeat(257) },
    { name: "a newline", query: "a\nb" },
    { name: "a NUL", query: "a\0" },
    { name: "half a character", query: "\ud83d" },
  ])("refuses $name", async ({ query }) => {
    await expect(find(query)).rejects.toMatchObject({ code: "bad_query" });
  });

  test.each([0, -1, 1.5, 1001, Number.NaN])("refuses %p as limit", async (limit) => {
    await expect(find("x", { limit })).rejects.toMatchObject({ code: "bad_query" });
  });

  test("cuts long lines around the match, between characters", async () => {
    put("long.md", `${"🔑".repeat(50_000)}needle${"🔑".repeat(50_000)}\nsecond needle`);
    const { matches } = await find("needle");
    expect(matches.map(({ line }) => line)).toEqual([1, 2]);
    const text = matches[0]?.text ?? "";
    expect(text).toMatch(/^…(?:🔑){49,51}needle(?:🔑)+…$/u);
    expect(text.length).toBeLessThanOrEqual(302);
    expect(text.isWellFormed()).toBe(true);
  });

  test("counts lines beyond the first chunk", async () => {
    const content = Array.from({ length: 40_000 }, (_, i) => `line ${i + 1}`);
    content[39_990] = "the needle";
    put("many.md", content.join("\n"));
    expect(lines(await find("needle"))).toEqual(["many.md:39991: the needle"]);
  });

  test("a line is told once, however often it matches", async () => {
    put("a.md", `${"aa".repeat(200_000)}\naaa`);
    expect((await find("aa")).matches.map(({ line }) => line)).toEqual([1, 2]);
  });

  test("leaves out what is hidden, too large, or named in bytes that are no UTF-8", async () => {
    put(".hidden.md", "needle");
    put(".git/config", "needle");
    put(".trash/x/a.md", "needle");
    put(".nest-tmp/x", "needle");
    put("a/.b/c.md", "needle");
    put("big.md", "needle\n");
    truncateSync(join(vault, "big.md"), 17 * 1024 * 1024);
    writeFileSync(Buffer.from(`${vault}/needle\xff`, "latin1"), "needle");
    put("ignored.md", "needle");
    put(".gitignore", "ignored.md");
    put(".ignore", "*");
    expect(lines(await find("needle"))).toEqual(["ignored.md:1: needle"]);
  });

  test("follows no links, and waits for no FIFO", async () => {
    writeFileSync(join(outside, "secret.md"), "needle");
    put("in/a.md", "needle");
    symlinkSync(outside, join(vault, "way-out"));
    symlinkSync(join(outside, "secret.md"), join(vault, "needle-link"));
    symlinkSync("in", join(vault, "inside"));
    Bun.spawnSync(["mkfifo", join(vault, "fifo")]);
    expect(lines(await find("needle"))).toEqual([
      "in/a.md:1: needle",
      "needle-link:0: needle-link",
    ]);
  });

  test("odd names", async () => {
    put("line\nbreak.md", "needle");
    put("-e.md", "needle");
    put("a:1:2.md", "needle");
    put("🔑.md", "needle");
    expect((await find("needle")).matches.map(({ path }) => path)).toEqual([
      "-e.md",
      "a:1:2.md",
      "line\nbreak.md",
      "🔑.md",
    ]);
  });

  test("stops at the limit, says so, and leaves room for names", async () => {
    for (let i = 10; i < 30; i++) put(`a/${i}.md`, "plan\n".repeat(20));
    for (let i = 10; i < 30; i++) put(`z/plan${i}.md`, "");
    const found = await find("plan", { limit: 10 });
    expect(found.truncated).toBe(true);
    expect(found.matches.map(({ path, line }) => `${path}:${line}`)).toEqual([
      ...[1, 2, 3, 4, 5].map((line) => `a/10.md:${line}`),
      ...[10, 11, 12, 13, 14].map((i) => `z/plan${i}.md:0`),
    ]);
    expect((await find("plan", { limit: 419 })).truncated).toBe(true);
    const all = await find("plan", { limit: 420 });
    expect({ count: all.matches.length, truncated: all.truncated }).toEqual({
      count: 420,
      truncated: false,
    });
  });

  test("leaves out what the caller may not read", async () => {
    put("mine/a.md", "needle");
    put("theirs/needle.md", "needle");
    const found = await find("needle", { caller: { may: (names) => names[0] !== "theirs" } });
    expect(lines(found)).toEqual(["mine/a.md:1: needle"]);
  });

  test("a search that nobody waits for ends, with the process it started, and holds nothing open", async () => {
    for (let i = 0; i < 1000; i++) put(`${i % 30}/${i}.md`, "nothing here\n".repeat(500));
    const before = descriptors();
    for (const afterMs of [0, 1, 5, 20]) {
      const controller = new AbortController();
      const finding = find("needle", { signal: controller.signal });
      const outcome = finding.then(
        () => "ended by itself",
        (error: Error) => error.message,
      );
      // At once it is always in time; a little later the search may be through.
      if (afterMs === 0) controller.abort(new Error("gone"));
      else setTimeout(() => controller.abort(new Error("gone")), afterMs);
      expect(afterMs === 0 ? ["gone"] : ["gone", "ended by itself"]).toContain(await outcome);
    }
    expect(descriptors()).toBe(before);
    // A name of its own in the arguments tells it from other searches on this machine.
    await until(
      "no ripgrep is left",
      async () => (await processesWith("--regexp=needle")).length === 0,
    );
  });

  test("a folder and a file swapped for links all the time: no line from outside", async () => {
    mkdirSync(join(outside, "d"));
    for (let i = 0; i < 20; i++) {
      put(`d/${i}.md`, "inside needle");
      writeFileSync(join(outside, "d", `${i}.md`), "SECRET needle");
      writeFileSync(join(outside, "d", `SECRET-needle-${i}.md`), "SECRET needle");
    }
    symlinkSync(join(outside, "d"), join(vault, "link"));
    await using _ = await swap(join(vault, "d"), join(vault, "link"));
    if (RIPGREP !== undefined && ripgrep() === RIPGREP) {
      // Taken at its word, ripgrep leads out.
      await until("ripgrep by itself tells a line from outside", () =>
        Bun.spawnSync([RIPGREP, "--no-follow", "needle", "."], { cwd: vault })
          .stdout.toString()
          .includes("SECRET"),
      );
    }
    const endMs = performance.now() + 3000;
    let isSeen = false;
    while (performance.now() < endMs || !isSeen) {
      const found = await find("needle");
      expect(JSON.stringify(found)).not.toContain("SECRET");
      isSeen ||= found.matches.length > 0;
      if (performance.now() > endMs + 40_000) throw new Error("never found what is there");
    }
  });

  test("the root renamed away and another in its place: the first is searched", async () => {
    put("a.md", "needle");
    renameSync(vault, join(dir.path, "moved"));
    mkdirSync(vault);
    writeFileSync(join(vault, "b.md"), "needle");
    expect(lines(await find("needle"))).toEqual(["a.md:1: needle"]);
  });
});

describe("Search", () => {
  test.each([
    { name: "is not there", script: undefined },
    { name: "knows no such option", script: "#!/bin/sh\nexit 2\n" },
    { name: "prints without an end", script: "#!/bin/sh\nexec yes ./no-end-of-a-path\n" },
    {
      name: "points at what is not there",
      script: "#!/bin/sh\nprintf './x\\0001:0:\\n'; exit 2\n",
    },
    { name: "can't be run", script: "" },
  ])("a ripgrep that $name is done without, or does no harm", async ({ name, script }) => {
    put("a.md", "needle");
    const ripgrep = join(dir.path, "rg");
    if (script !== undefined) writeFileSync(ripgrep, script, { mode: 0o755 });
    const found = await new Search({ root, clock: systemClock, ripgrep }).find("needle");
    expect(lines(found)).toEqual(name.startsWith("points") ? [] : ["a.md:1: needle"]);
  });

  test("what ripgrep says is believed only where it is seen: lines, files and ways out", async () => {
    put("a.md", "one\nneedle\nthree needle\n");
    writeFileSync(join(outside, "secret.md"), "needle");
    symlinkSync(outside, join(vault, "link"));
    const hits = [
      "./a.md\\0002:4:x",
      "./a.md\\0002:5:x",
      "./a.md\\0001:0:x",
      "./a.md\\0009:999:x",
      "./link/secret.md\\0001:0:x",
      "./../outside/secret.md\\0001:0:x",
      "../outside/secret.md\\0001:0:x",
      `${outside}/secret.md\\0001:0:x`,
      "./a.md/x\\0001:0:x",
      "./\\0001:0:x",
      "./a.md\\000-1:-1:x",
      "./a.md\\000x:y:x",
    ];
    const ripgrep = join(dir.path, "rg");
    writeFileSync(ripgrep, `#!/bin/sh\nprintf '${hits.join("\\n")}\\n'\n`, { mode: 0o755 });
    const found = await new Search({ root, clock: systemClock, ripgrep }).find("needle");
    expect(lines(found)).toEqual(["a.md:2: needle"]);
  });

  test("ends when its time is over, with what it has", async () => {
    for (let i = 0; i < 50; i++) put(`${i}/a.md`, "needle");
    // Time runs a thousand times as fast.
    const clock = {
      ...systemClock,
      after: (delayMs: number, run: () => void) =>
        systemClock.after(delayMs > 1000 ? 0 : delayMs, run),
      monotonicMs: () => systemClock.monotonicMs() * 1000,
    };
    const { matches, truncated } = await new Search({ root, clock }).find("needle");
    expect(truncated).toBe(true);
    expect(matches.length).toBeLessThan(50);
  });

  test("two run, eight wait, more are refused; those that wait can leave", async () => {
    for (let i = 0; i < 500; i++) put(`${i}.md`, "needle");
    const search = new Search({ root, clock: systemClock });
    const leaving = new AbortController();
    const running = Array.from({ length: 9 }, () => search.find("needle"));
    const others = Promise.allSettled([
      search.find("needle", { signal: leaving.signal }),
      search.find("needle"),
    ]);
    leaving.abort(new Error("gone"));
    expect(await others).toMatchObject([
      { status: "rejected", reason: { message: "gone" } },
      { status: "rejected", reason: { code: "overloaded", status: 503 } },
    ]);
    for (const { matches } of await Promise.all(running)) expect(matches.length).toBe(100);
    expect((await search.find("needle", { limit: 1 })).matches.length).toBe(1);
  });

  test("when it is closed, what runs and what waits ends, and nothing is open", async () => {
    for (let i = 0; i < 2000; i++) put(`${i}.md`, "nothing here\n".repeat(100));
    const before = descriptors();
    const search = new Search({ root, clock: systemClock, ripgrep: RIPGREP });
    const finding = Promise.allSettled(Array.from({ length: 5 }, () => search.find("needle")));
    await search[Symbol.asyncDispose]();
    expect(descriptors()).toBe(before);
    for (const { status } of await finding) expect(status).toBe("rejected");
    await expect(search.find("needle")).rejects.toThrow();
  });

  test("the server goes on while a large vault is searched", async () => {
    for (let i = 0; i < 2000; i++)
      put(`${i % 50}/${i}.md`, "nothing to be found here\n".repeat(500));
    let turns = 0;
    const search = new Search({ root, clock: systemClock }).find("needle");
    const done = { yes: false };
    void search.then(() => (done.yes = true));
    while (!done.yes) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    // In one go it would be one or two.
    expect(turns).toBeGreaterThan(10);
  });

  test("a vault that was deleted is not searched", async () => {
    renameSync(vault, join(dir.path, "x"));
    Bun.spawnSync(["rm", "-r", join(dir.path, "x")]);
    expect(existsSync(join(dir.path, "x"))).toBe(false);
    await expect(new Search({ root, clock: systemClock }).find("x")).rejects.toMatchObject({
      code: "vault_gone",
    });
  });
});
