import { closeSync, constants, fstatSync, openSync, readFileSync, readSync } from "node:fs";
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
    readFile: (path) => readSecretFile(resolve(base, path)),
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

/** Bytes; a token has 512 characters at most. */
const MAX_SECRET_BYTES = 64 * 1024;

/**
 * Opened without waiting and read only so far: a pipe that nobody writes to, or a device, would hold up a gateway that
 * reloads for ever.
 *
 * @throws with a `code` that says why
 */
function readSecretFile(path: string): string {
  const descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const refused = (code: string) => Object.assign(new Error(code), { code });
    if (!fstatSync(descriptor).isFile()) throw refused("not a regular file");
    const bytes = new Uint8Array(MAX_SECRET_BYTES + 1);
    const length = readSync(descriptor, bytes, 0, bytes.length, 0);
    if (length > MAX_SECRET_BYTES) throw refused("more than 64 KiB");
    return new TextDecoder().decode(bytes.subarray(0, length));
  } finally {
    closeSync(descriptor);
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
