import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { HELP } from "../../src/cli/help.ts";
import { nest } from "../support/nest-process.ts";
import { tempDir } from "../support/temp-dir.ts";

const options = [...JSON.stringify(HELP).matchAll(/\\n {2}(--[a-z-]+)/g)].map(([, name]) => name!);

describe("nest completion", () => {
  test.each(["bash", "zsh", "fish"])(
    "%s: names every command and option, and parses",
    async (shell) => {
      using dir = tempDir();
      const { code, stdout } = await nest(["completion", shell], { cwd: dir.path });
      expect(code).toBe(0);
      expect(options.length).toBeGreaterThan(8);
      for (const name of Object.keys(HELP)) expect(stdout).toContain(name);
      for (const name of options)
        expect(stdout).toContain(shell === "fish" ? `-l ${name.slice(2)}` : name);
      const program = Bun.which(shell);
      // The text is checked everywhere, the syntax where there is such a shell.
      if (program === null) return;
      const file = join(dir.path, "completion");
      writeFileSync(file, stdout);
      expect(Bun.spawnSync([program, "-n", file]).exitCode).toBe(0);
    },
  );

  test("bash completes commands, options and nothing else", async () => {
    using dir = tempDir();
    const { stdout } = await nest(["completion", "bash"], { cwd: dir.path });
    const complete = (...line: string[]) =>
      Bun.spawnSync([
        "bash",
        "-c",
        `${stdout}\nCOMP_WORDS=("$@"); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _nest; echo "\${COMPREPLY[*]}"`,
        "-",
        ...line,
      ])
        .stdout.toString()
        .trim();
    expect(complete("nest", "at")).toBe("attach");
    expect(complete("nest", "attach", "--tok")).toBe("--token-file");
    expect(complete("nest", "attach", "--token")).not.toContain("--token ");
    expect(complete("nest", "health", "--x")).toBe("");
  });

  test("another shell is refused", async () => {
    using dir = tempDir();
    expect(await nest(["completion", "csh"], { cwd: dir.path })).toMatchObject({ code: 2 });
    expect(await nest(["completion", "toString"], { cwd: dir.path })).toMatchObject({ code: 2 });
  });
});

describe("docs/nest.1", () => {
  const page = readFileSync(join(import.meta.dir, "../../docs/nest.1"), "utf8");

  test("names every command and option", () => {
    for (const name of Object.keys(HELP)) expect(page).toContain(`.It Cm ${name}`);
    for (const name of options) expect(page).toContain(`.It Fl ${name.slice(1)}`);
  });

  test("is read without a warning, where there is a man(1)", () => {
    const man = Bun.which("man");
    if (man === null) return;
    const { stdout, stderr } = Bun.spawnSync(
      [man, "--warnings", "-l", join(import.meta.dir, "../../docs/nest.1")],
      {
        env: { PATH: process.env["PATH"]!, MANPAGER: "cat", MANWIDTH: "80", LANG: "C.UTF-8" },
      },
    );
    expect(stderr.toString()).toBe("");
    expect(stdout.toString()).toContain("NEST(1)");
  });
});
