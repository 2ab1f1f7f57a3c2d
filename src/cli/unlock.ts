import { resolve } from "node:path";
import { parseCommandLine } from "./commands.ts";
import { DEFAULT_CONFIG } from "./config-file.ts";
import { askGateway } from "./control.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { print } from "./print.ts";

/** `nest unlock ADDRESS`: on the machine that Nest runs on, no token needed. */
export async function unlock(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(
    "unlock",
    args,
    { config: { type: "string" } },
    1,
  );
  const [address] = positionals;
  if (address === undefined)
    throw new Exit(EXIT_USAGE, "nest unlock: expected an address. See `nest unlock --help`");
  const file = values.config ?? DEFAULT_CONFIG;
  const answer = await askGateway(resolve(file), "unlock", address);
  if (answer === undefined) {
    throw new Exit(
      1,
      `No Nest that this user may speak to runs with "${file}". Lock-outs end with the process that keeps them`,
    );
  }
  if (!answer.ok) throw new Exit(1, `nest unlock: ${answer.message}`);
  print(answer.message);
  return 0;
}
