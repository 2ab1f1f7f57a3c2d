import { parseIpAddress } from "../limit/ip-address.ts";
import { parseCommandLine } from "./commands.ts";
import { DEFAULT_CONFIG, readConfigFile } from "./config-file.ts";
import { startEnvironment } from "./environment.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { print } from "./print.ts";
import { requireNoPrivileges } from "./privileges.ts";

const TIMEOUT_MS = 5000;

/** `nest health [URL]` */
export async function health(args: readonly string[]): Promise<number> {
  const { positionals } = parseCommandLine("health", args, {}, 1);
  requireNoPrivileges();
  const given = positionals[0] ?? configuredUrl();
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

/** Where the config of the current folder says that Nest listens; the usual place if it says nothing. */
function configuredUrl(): string {
  try {
    const { server } = readConfigFile(DEFAULT_CONFIG, startEnvironment()).config;
    const address = parseIpAddress(server.host);
    // "Every address" is none to connect to.
    const host = address?.value === 0n ? (address.family === 4 ? "127.0.0.1" : "::1") : server.host;
    return `http://${host.includes(":") ? `[${host}]` : host}:${server.port}`;
  } catch {
    return "http://127.0.0.1:8484";
  }
}
