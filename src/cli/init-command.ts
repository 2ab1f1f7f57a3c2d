import { existsSync } from "node:fs";
import { auditConfig } from "./audit.ts";
import { parseCommandLine } from "./commands.ts";
import { DEFAULT_CONFIG } from "./config-file.ts";
import { isConfirmed } from "./confirm.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { createConfig } from "./init.ts";
import { print } from "./print.ts";

/** `nest init [--yes]` */
export async function init(args: readonly string[]): Promise<number> {
  const { values } = parseCommandLine(
    "init",
    args,
    { yes: { type: "boolean", short: "y" }, config: { type: "string" } },
    0,
  );
  const file = values.config ?? DEFAULT_CONFIG;
  if (existsSync(file))
    throw new Exit(EXIT_USAGE, `Cannot make "${file}": it exists, and nothing was changed`);
  const question = `Write ${file} with a new token, and a vault beside it? [Y/n] `;
  if (values.yes !== true && process.stdin.isTTY && !(await isConfirmed(question, true))) return 1;
  const { configFile, vault, token } = createConfig(file);
  print(`config  ${configFile}`);
  print(`vault   ${vault}`);
  print(`token   ${token}`);
  print("");
  print(
    "The token is shown this once; the config keeps only its hash. Whoever has it runs commands here.",
  );
  print("");
  print(await auditConfig(file));
  print("");
  print("Next: nest serve");
  return 0;
}
