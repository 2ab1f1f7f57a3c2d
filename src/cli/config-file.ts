import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type LoadedConfig, loadConfig } from "../config/load.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";

/** Where the config lies unless `--config` says otherwise. */
export const DEFAULT_CONFIG = "config.yaml";

/**
 * Reads a config file with its secrets.
 *
 * @throws {ConfigError} with every problem in it
 * @throws {Exit} if it can't be read
 */
export function readConfigFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): LoadedConfig {
  const base = dirname(resolve(file));
  return loadConfig(file, readText(file), {
    env,
    readFile: (path) => readFileSync(resolve(base, path), "utf8"),
  });
}

/** As {@link readConfigFile}, for a command that can't go on without: problems end it, one line each. */
export function requireConfigFile(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): LoadedConfig {
  try {
    return readConfigFile(file, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new Exit(EXIT_USAGE, error.problems.map(formatProblem).join("\n"));
  }
}

function readText(file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(file));
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? "not UTF-8";
    throw new Exit(EXIT_USAGE, `${file}: expected a readable config file (${reason})`);
  }
}
