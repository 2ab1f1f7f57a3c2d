import { digestOf } from "../auth/authenticator.ts";
import { newToken } from "../auth/new-token.ts";
import { parseCommandLine } from "./commands.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { print } from "./print.ts";
import { readSecretLine } from "./secret-line.ts";
import { editTokens } from "./token-edit.ts";

const ACTIONS = new Set(["add", "list", "revoke", "rotate"]);

/** `nest token [--hash]`, or `nest token add|list|revoke|rotate …` */
export async function token(args: readonly string[]): Promise<number> {
  const [action = ""] = args;
  if (ACTIONS.has(action)) return editTokens(action, args.slice(1));
  const { values } = parseCommandLine("token", args, { hash: { type: "boolean" } }, 0);
  if (values.hash !== true) {
    print(newToken());
    return 0;
  }
  const secret = await readSecretLine("Token: ");
  if (secret === "")
    throw new Exit(
      EXIT_USAGE,
      "nest token --hash: expected a token on standard input, found nothing",
    );
  print(`sha256:${digestOf(secret).toHex()}`);
  return 0;
}
