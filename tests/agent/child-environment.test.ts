import { describe, expect, test } from "bun:test";
import { childEnvironment } from "../../src/agent/child-environment.ts";

const from = (
  own: Record<string, string | undefined>,
  withheld: string[] = [],
  added: Record<string, string> = {},
) => childEnvironment(own, withheld, added);

describe("childEnvironment", () => {
  test.each(
    [
      "PATH",
      "HOME",
      "LANG",
      "LC_ALL",
      "LC_TIME",
      "TZ",
      "TERM",
      "XDG_CONFIG_HOME",
      "SSL_CERT_FILE",
      "https_proxy",
      "NO_PROXY",
      "PI_CODING_AGENT_DIR",
      "PI_OFFLINE",
      "ANTHROPIC_API_KEY",
      "OPENAI_API_KEY",
      "GEMINI_API_KEY",
      "AWS_SECRET_ACCESS_KEY",
      "AZURE_OPENAI_API_KEY",
      "CLOUDFLARE_API_KEY",
      "MINIMAX_CN_API_KEY",
      "ZAI_API_KEY",
    ].map((name) => ({ name })),
  )("passes $name on", ({ name }) => {
    expect(from({ [name]: "value" })).toEqual({ [name]: "value" });
  });

  test.each(
    [
      // Nest's own.
      "NEST_TOKEN",
      "NEST_CONFIG",
      "GITHUB_WEBHOOK_SECRET",
      // Code in every program that the agent starts.
      "LD_PRELOAD",
      "LD_LIBRARY_PATH",
      "DYLD_INSERT_LIBRARIES",
      "NODE_OPTIONS",
      "NODE_PATH",
      "BUN_OPTIONS",
      "BUN_INSTALL",
      "PYTHONPATH",
      "BASH_ENV",
      "ENV",
      "PROMPT_COMMAND",
      "GIT_SSH_COMMAND",
      "PERL5OPT",
      "RUBYOPT",
      // Other people's secrets.
      "DATABASE_URL",
      "GITHUB_TOKEN",
      "NPM_TOKEN",
      "KUBECONFIG",
      "DOCKER_HOST",
      "CLOUDFLARE_TUNNEL_TOKEN",
      "CLOUDFLARE_API_TOKEN",
      "SSH_CONNECTION",
      "PGPASSWORD",
      // Nearly what is on the list.
      "path",
      "PATHX",
      "XPATH",
      "MY_PATH",
      "LC_",
      "lc_all",
      "LC_ALL_1",
      "XAI_API_KEY_2",
      "MY_AWS_KEY",
      "AZURE_OPENAI",
      "ANTHROPIC_API_KEY ",
      "ANTHROPIC_API_KEY\n",
      "LC_ALL\n",
      "PI_",
      "__proto__",
      "constructor",
    ].map((variable) => ({ name: JSON.stringify(variable), variable })),
  )("keeps $name back: it is not on the list", ({ variable }) => {
    const own = Object.fromEntries([
      [variable, "value"],
      ["HOME", "/home/nest"],
    ]);
    expect(Object.entries(from(own))).toEqual([["HOME", "/home/nest"]]);
  });

  test("keeps back a secret of Nest's own, even by a name that is on the list", () => {
    const own = { OPENAI_API_KEY: "secret", PI_SECRET: "secret", HOME: "/home/nest" };
    expect(from(own, ["OPENAI_API_KEY", "PI_SECRET"])).toEqual({ HOME: "/home/nest" });
  });

  test("adds agent.env, which wins, whatever its names", () => {
    expect(
      from({ HOME: "/home/nest", LANG: "C" }, [], { LANG: "de_DE.UTF-8", DATABASE_URL: "sqlite:" }),
    ).toEqual({
      HOME: "/home/nest",
      LANG: "de_DE.UTF-8",
      DATABASE_URL: "sqlite:",
    });
  });

  test("an owner who names a withheld variable in agent.env means it", () => {
    expect(
      from({ OPENAI_API_KEY: "secret" }, ["OPENAI_API_KEY"], { OPENAI_API_KEY: "other" }),
    ).toEqual({
      OPENAI_API_KEY: "other",
    });
  });

  test("leaves out what is not set, and keeps what is set to nothing", () => {
    expect(from({ HOME: undefined, LANG: "" })).toEqual({ LANG: "" });
  });

  test("changes none of its arguments", () => {
    const own = Object.freeze({ HOME: "/home/nest", NEST_TOKEN: "t" });
    const added = Object.freeze({ A: "b" });
    childEnvironment(own, Object.freeze(["X"]), added);
    expect(own).toEqual({ HOME: "/home/nest", NEST_TOKEN: "t" });
  });
});
