#!/usr/bin/env -S bun --no-env-file --config=/dev/null
import type { Command } from "./cli/commands.ts";
import { EXIT_USAGE, Exit } from "./cli/exit.ts";
import { USAGE } from "./cli/help.ts";
import { print } from "./cli/print.ts";
import { licences, VERSION, verboseVersion } from "./cli/version.ts";

/** Loaded when it is run: the parts of one need not cost the start of another. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map<
  string,
  () => Promise<Command>
>([
  ["serve", async () => (await import("./cli/serve.ts")).serve],
  ["init", async () => (await import("./cli/init-command.ts")).init],
  ["attach", async () => (await import("./cli/attach.ts")).attach],
  ["audit", async () => (await import("./cli/audit.ts")).audit],
  ["token", async () => (await import("./cli/token.ts")).token],
  ["unlock", async () => (await import("./cli/unlock.ts")).unlock],
  ["health", async () => (await import("./cli/health.ts")).health],
  ["completion", async () => (await import("./cli/completion.ts")).completion],
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
  const name = first === undefined || first.startsWith("-") ? "serve" : first;
  const command = COMMANDS.get(name);
  if (command === undefined)
    throw new Exit(EXIT_USAGE, `nest: no command "${name}". See \`nest --help\``);
  return (await command())(name === first ? args.slice(1) : args);
}

try {
  process.exit(await main(process.argv.slice(2)));
} catch (error) {
  if (!(error instanceof Exit)) throw error;
  if (error.code === 0) print(error.message);
  else process.stderr.write(`${error.message}\n`);
  process.exit(error.code);
}
