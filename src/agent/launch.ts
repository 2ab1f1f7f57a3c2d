import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { childEnvironment } from "./child-environment.ts";
import type { PiLaunch } from "./pi.ts";
import type { HostPaths } from "./public-view.ts";

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
  /** Folder of the pi package, if it is ours. */
  readonly #packageDir: string | undefined;

  /** @throws {AgentMissing} */
  constructor(options: AgentOptions) {
    this.#options = options;
    if (options.command === undefined) {
      this.#packageDir = packageDir();
      this.#program = bundledProgram(this.#packageDir);
    } else {
      this.#packageDir = undefined;
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
    const scripted = [
      "-e",
      fileURLToPath(import.meta.resolve("./scripted-model.ts")),
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
        ...(model === "scripted" ? scripted : []),
      ],
      cwd,
      env: {
        // Nest pins pi's version; news of another would reach the agent's clients, not the owner.
        PI_SKIP_VERSION_CHECK: "1",
        ...(model === "scripted" && { PI_OFFLINE: "1", PI_TELEMETRY: "0" }),
        ...childEnvironment(ownEnv, withheldEnv, env),
      },
    };
  }

  /** What clients must not see of this machine. */
  hostPaths(cwd: string, sessionDir: string): HostPaths {
    const hidden: [string, string][] = [[sessionDir, "<sessions>"]];
    if (this.#packageDir !== undefined) hidden.push([this.#packageDir, "<pi>"]);
    return { cwd, hidden: hidden.toSorted(([a], [b]) => b.length - a.length) };
  }
}

function packageDir(): string {
  try {
    // The package exports no path but its library entry, dist/index.js.
    return join(fileURLToPath(import.meta.resolve("@earendil-works/pi-coding-agent")), "..", "..");
  } catch {
    throw new AgentMissing(
      "Cannot start the agent: pi is not installed. Run `bun install` in Nest's folder, or name a pi of your own in agent.command",
    );
  }
}

/**
 * pi on the very Bun that runs Nest, with the start-up files of the working folder shut off: Bun would read `.env`
 * and run the preload of `bunfig.toml` there, and the agent can write both.
 */
function bundledProgram(dir: string): string[] {
  const entry = join(dir, "dist", "bundle", "cli.js");
  if (!existsSync(entry)) {
    throw new AgentMissing(
      `Cannot start the agent: "${entry}" is missing. Run \`bun install\` in Nest's folder`,
    );
  }
  return [process.execPath, "--no-env-file", "--config=/dev/null", "--no-install", entry];
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
