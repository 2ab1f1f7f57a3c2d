#!/usr/bin/env -S bun --no-env-file --config=/dev/null
import { attach } from "./cli/attach.ts";
import type { Command } from "./cli/commands.ts";
import { EXIT_USAGE, Exit } from "./cli/exit.ts";
import { health } from "./cli/health.ts";
import { USAGE } from "./cli/help.ts";
import { init } from "./cli/init-command.ts";
import { print } from "./cli/print.ts";
import { serve } from "./cli/serve.ts";
import { token } from "./cli/token.ts";
import { licences, VERSION, verboseVersion } from "./cli/version.ts";

const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ["serve", serve],
  ["init", init],
  ["attach", attach],
  ["token", token],
  ["health", health],
]);

async function main(args: readonly string[]): Promise<number> {
  const [first] = args;
  if (first === "--help" || first === "-h" || first === "help") {
    print(USAGE);
    return 0;
  }
  if (first === "--version" || first === "-v") {
    const [, more] = args;
    if (more === "--verbose") print(verboseVersion());
    else if (more === "--licences") print(licences());
    else print(VERSION);
    return 0;
  }
  // `nest --demo` is `nest serve --demo`.
  if (first === undefined || first.startsWith("-")) return serve(args);
  const command = COMMANDS.get(first);
  if (command === undefined)
    throw new Exit(EXIT_USAGE, `nest: no command "${first}". See \`nest --help\``);
  return command(args.slice(1));
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof Exit)) throw error;
  if (error.code === 0) print(error.message);
  else process.stderr.write(`${error.message}\n`);
  process.exit(error.code);
}
