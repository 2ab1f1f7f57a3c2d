import { parseArgs, type ParseArgsConfig } from "node:util";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { commandHelp, type HELP } from "./help.ts";

/** A command as main.ts runs it: arguments after its name in, exit code out. */
export type Command = (args: readonly string[]) => number | Promise<number>;

type Options = NonNullable<ParseArgsConfig["options"]>;

/**
 * Reads the arguments of one command; `--help` prints its help and ends.
 *
 * @throws {Exit} 2 for what the command does not know, 0 after its help
 */
export function parseCommandLine<const T extends Options>(
  name: keyof typeof HELP,
  args: readonly string[],
  options: T,
  maxPositionals: number,
) {
  let parsed;
  try {
    parsed = parseArgs({
      args: [...args],
      options: { ...options, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
      strict: true,
    });
  } catch (error) {
    const [reason] = (error as Error).message.split(/\.\s|\n/);
    throw new Exit(EXIT_USAGE, `nest ${name}: ${reason}. See \`nest ${name} --help\``);
  }
  if ((parsed.values as { help?: boolean }).help === true) throw new Exit(0, commandHelp(name));
  if (parsed.positionals.length > maxPositionals) {
    const extra = parsed.positionals[maxPositionals];
    throw new Exit(
      EXIT_USAGE,
      `nest ${name}: unexpected argument "${extra}". See \`nest ${name} --help\``,
    );
  }
  return parsed;
}
