import { readFileSync } from "node:fs";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { readSecretLine } from "./secret-line.ts";

/** From a file, the environment, or a question: never an argument, which everyone on the machine can read. */
export async function findToken(
  command: string,
  file: string | undefined,
  fromEnv: string | undefined,
): Promise<string> {
  const token = await findOptionalToken(command, file, fromEnv);
  if (token !== undefined) return token;
  throw new Exit(EXIT_USAGE, `nest ${command}: no token. Set NEST_TOKEN, or use --token-file`);
}

/** As {@link findToken}; nothing where there is none and nobody to ask. */
export async function findOptionalToken(
  command: string,
  file: string | undefined,
  fromEnv: string | undefined,
): Promise<string | undefined> {
  let token = file === undefined ? fromEnv : readTokenFile(command, file);
  if (token === undefined && process.stdin.isTTY) token = await readSecretLine("Token: ");
  // What can stand in a header (RFC 6750, 2.1), so that no newline slips into one.
  if (token === undefined || /^[\x21-\x7e]+$/.test(token)) return token;
  throw new Exit(
    EXIT_USAGE,
    `nest ${command}: expected a token, found none or one with odd characters`,
  );
}

function readTokenFile(command: string, file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Exit(EXIT_USAGE, `nest ${command}: cannot read "${file}" (${code})`);
  }
}
