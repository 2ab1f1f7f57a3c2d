import { createInterface } from "node:readline/promises";

/** Asks on stderr; Enter alone is `byDefault`. */
export async function isConfirmed(question: string, byDefault: boolean): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = (await terminal.question(question)).trim();
    return answer === "" ? byDefault : /^y(?:es)?$/i.test(answer);
  } finally {
    terminal.close();
  }
}
