import { childEnvironment } from "./child-environment.ts";
import type { PiLaunch } from "./pi.ts";
import type { HostPaths } from "./public-view.ts";
import { type ShippedPi, shippedPi } from "./shipped-pi.ts";

/** What `agent` of the config says, and what surrounds it. */
export interface AgentOptions {
  /** Absent = the pi that ships with Nest. */
  readonly command?: readonly string[];
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Names of Nest's own secrets in its environment. */
  readonly withheldEnv: readonly string[];
  /** Nest's environment. */
  readonly ownEnv: Readonly<Record<string, string | undefined>>;
}

/** Which model answers: whatever pi is configured for, or the script. */
export type ModelChoice = "configured" | "scripted";

/** Raised where pi can't be found; the message says what to do. */
export class AgentMissing extends Error {
  override readonly name = "AgentMissing";
}

/** How pi is started, found once at start-up. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #program: readonly string[];
  readonly #shipped: ShippedPi | undefined;

  /** @throws {AgentMissing} */
  constructor(options: AgentOptions) {
    this.#options = options;
    if (options.command === undefined) {
      this.#shipped = findShipped();
      this.#program = this.#shipped.program;
    } else {
      this.#shipped = undefined;
      this.#program = configuredProgram(options.command, options.ownEnv["PATH"]);
    }
  }

  /**
   * How to run the conversation kept in `sessionDir`: the latest one there goes on, or a first one begins.
   */
  launch(cwd: string, sessionDir: string, model: ModelChoice): PiLaunch {
    return this.#launch(cwd, ["--session-dir", sessionDir, "--continue"], model);
  }

  /** How to run without a conversation, to ask pi about itself. */
  probe(cwd: string): PiLaunch {
    return this.#launch(cwd, ["--no-session"], "configured");
  }

  /**
   * Project files of the working folder (`.pi/extensions`, settings, …) are not trusted, since the agent and everyone
   * who may write notes can write them and pi would run them (earendil-works/pi#6715). `agent.args` come later and win.
   */
  #launch(cwd: string, conversation: readonly string[], model: ModelChoice): PiLaunch {
    const { args, ownEnv, withheldEnv, env } = this.#options;
    const scripted = () => [
      "-e",
      (this.#shipped ?? findShipped()).scriptedModel,
      "--provider",
      "nest-scripted",
      "--model",
      "scripted-1",
    ];
    return {
      argv: [
        ...this.#program,
        "--mode",
        "rpc",
        ...conversation,
        "--no-approve",
        ...args,
        ...(model === "scripted" ? scripted() : []),
      ],
      cwd,
      env: {
        // Nest pins pi's version; news of another would reach the agent's clients, not the owner.
        PI_SKIP_VERSION_CHECK: "1",
        // jiti, which loads extensions, would keep and trust compiled ones in a folder of /tmp that anybody can make.
        JITI_FS_CACHE: "false",
        ...NO_BARE_REPOSITORIES,
        ...(model === "scripted" && { PI_OFFLINE: "1", PI_TELEMETRY: "0" }),
        ...childEnvironment(ownEnv, withheldEnv, env),
        ...this.#shipped?.env,
      },
    };
  }

  /** What clients must not see of this machine. */
  hostPaths(cwd: string, sessionDir: string): HostPaths {
    const hidden: [string, string][] = [[sessionDir, "<sessions>"]];
    if (this.#shipped !== undefined) hidden.push([this.#shipped.packageDir, "<pi>"]);
    return { cwd, hidden: hidden.toSorted(([a], [b]) => b.length - a.length) };
  }
}

/**
 * Git's `safe.bareRepository=explicit`, as git-config(1) has it for environments: a folder is a repository only if it has
 * a `.git`. Otherwise who may write files, though not to `.git`, makes one of `HEAD`, `objects`, `refs` and a `config`
 * that names programs, and the agent's next `git status` there runs them.
 */
const NO_BARE_REPOSITORIES = {
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "safe.bareRepository",
  GIT_CONFIG_VALUE_0: "explicit",
};

function findShipped(): ShippedPi {
  try {
    return shippedPi();
  } catch (error) {
    throw new AgentMissing(`Cannot start the agent: ${(error as Error).message}`);
  }
}

function configuredProgram(
  [program = "", ...args]: readonly string[],
  path: string | undefined,
): string[] {
  const found = Bun.which(program, path === undefined ? {} : { PATH: path });
  if (found === null) {
    throw new AgentMissing(
      `Cannot start the agent: no program "${program}" on the PATH (agent.command)`,
    );
  }
  return [found, ...args];
}
