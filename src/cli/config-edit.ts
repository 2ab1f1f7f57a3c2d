import {
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { EditError } from "../config/edit.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";
import type { LoadedConfig } from "../config/load.ts";
import { readConfigFile, requireConfigFile } from "./config-file.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Changes a config file: all of it or nothing, whoever reads it meanwhile and whatever happens.
 *
 * The new text is written beside the old, must be a good config itself, and takes the old one's place by rename(2),
 * with its owner and mode. A link is followed to the file that it names. Two edits
 * at once can't swallow each other: the file beside is made with O_EXCL and is the lock.
 *
 * @throws {Exit} with nothing changed
 */
export function editConfigFile(
  file: string,
  env: Environment,
  edit: (text: string, config: LoadedConfig["config"]) => string,
): LoadedConfig {
  const { config } = requireConfigFile(file, env);
  const target = realpathSync(file);
  const beside = join(dirname(target), `.${target.slice(dirname(target).length + 1)}.edit`);
  let descriptor: number;
  try {
    descriptor = openSync(beside, "wx", 0o600);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === "EEXIST"
        ? `another edit is under way. If there is none, delete "${beside}"`
        : `its folder can't be written to (${code})`;
    throw new Exit(EXIT_USAGE, `Cannot change "${file}": ${reason}`);
  }
  try {
    try {
      // Read behind the lock: what another edit wrote is in it.
      const stat = statSync(target);
      writeFileSync(descriptor, edited(file, readFileSync(target, "utf8"), config, edit));
      if (process.getuid?.() !== stat.uid) fchownSync(descriptor, stat.uid, stat.gid);
      fchmodSync(descriptor, stat.mode & 0o777);
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    const loaded = checked(file, beside, env);
    renameSync(beside, target);
    syncFolder(dirname(target));
    return loaded;
  } catch (error) {
    rmSync(beside, { force: true });
    if (error instanceof Exit) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Exit(EXIT_USAGE, `Cannot change "${file}": ${code ?? message}. Nothing was changed`);
  }
}

function edited(
  file: string,
  text: string,
  config: LoadedConfig["config"],
  edit: (text: string, config: LoadedConfig["config"]) => string,
): string {
  try {
    return edit(text, config);
  } catch (error) {
    if (!(error instanceof EditError)) throw error;
    throw new Exit(EXIT_USAGE, `Cannot change "${file}": ${error.message}`);
  }
}

/** The text beside as a config, its problems told as those of the file. */
function checked(file: string, beside: string, env: Environment): LoadedConfig {
  try {
    return readConfigFile(beside, env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const problems = error.problems.map((problem) => formatProblem({ ...problem, file }));
    throw new Exit(EXIT_USAGE, [...problems, "Nothing was changed"].join("\n"));
  }
}

function syncFolder(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
