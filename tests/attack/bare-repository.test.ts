import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test, setDefaultTimeout } from "bun:test";
import { attach } from "../support/attach-client.ts";
import { testGateway, TOKEN } from "../support/gateway.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

const WRITER = "nest_writer-token-0123456789abcdefghijklmnopq";
const needs = Bun.which("git") === null ? " (needs git)" : "";

/**
 * Git takes any folder with `HEAD`, `objects` and `refs` for a repository without a work tree, and its `config` may name
 * programs. So `.git` can be left alone by who wants the agent's next `git status` to run something.
 */
test.skipIf(needs !== "")(
  `a repository planted without .git runs nothing in the agent's git${needs}`,
  async () => {
    await using nest = testGateway({
      config: { server: { tokens: [{ name: "w", token: WRITER, scopes: ["vault:write"] }] } },
    });
    const fallen = join(nest.dir, "fallen");
    const put = async (path: string, body = "") =>
      expect(
        (
          await fetch(`${nest.url}/api/files/${path}`, {
            method: "PUT",
            headers: { Authorization: `Bearer ${WRITER}` },
            body,
          })
        ).status,
      ).toBe(201);
    await put("HEAD", "ref: refs/heads/main\n");
    await put("objects/");
    await put("refs/");
    await put(
      "config",
      `[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\nfsmonitor = "touch '${fallen}'; false"\n`,
    );
    await using owner = await attach(nest.attachUrl, TOKEN);
    const git = async (id: string, command: string) => {
      owner.send({ id, type: "bash", command });
      expect((await owner.reply(id))["success"]).toBe(true);
    };
    await git("guarded", "git status; true");
    expect(existsSync(fallen)).toBe(false);
    // The proof that it would.
    await git("bare", "GIT_CONFIG_COUNT=0 git status; true");
    expect(existsSync(fallen)).toBe(true);
  },
);
