import { digestOf } from "../auth/authenticator.ts";
import { newToken } from "../auth/new-token.ts";
import { parseCommandLine } from "./commands.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { print } from "./print.ts";
import { readSecretLine } from "./secret-line.ts";

/** `nest token [--hash]` */
export async function token(args: readonly string[]): Promise<number> {
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
