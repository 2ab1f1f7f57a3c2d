import { parseCommandLine } from "./commands.ts";
import { defaultUrl } from "./default-url.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { print } from "./print.ts";
import { requireNoPrivileges } from "./privileges.ts";

const TIMEOUT_MS = 5000;

/** `nest health [URL]` */
export async function health(args: readonly string[]): Promise<number> {
  const { positionals } = parseCommandLine("health", args, {}, 1);
  requireNoPrivileges();
  const given = positionals[0] ?? defaultUrl();
  const base = URL.parse(given);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new Exit(EXIT_USAGE, `nest health: expected an http or https URL, found "${given}"`);
  }
  const url = new URL("/health", base);
  try {
    const response = await fetch(url, {
      redirect: "error",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const body = (await response.json()) as { status?: unknown } | null;
    if (response.ok && body?.status === "ok") {
      print("ok");
      return 0;
    }
    throw new Exit(1, `${url}: answered ${response.status}, expected {"status":"ok"}`);
  } catch (error) {
    if (error instanceof Exit) throw error;
    throw new Exit(1, `${url}: no answer (${(error as Error).message})`);
  }
}
