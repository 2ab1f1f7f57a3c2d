import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import type { Lab, Server } from "./lab.ts";
import { pinned } from "./pinning.ts";

const MAIN = join(import.meta.dir, "..", "..", "src", "main.ts");

/** The owner's token, 48 characters, as `nest token` makes them. */
export const TOKEN = "nest_bench-0123456789abcdefghijklmnopqrstuvwxyzA";

/** Environment of what is measured: programs are found, and pi neither looks for news nor at our settings. */
export function benchEnv(home: string): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "",
    HOME: home,
    PI_CODING_AGENT_DIR: join(home, "pi"),
    PI_OFFLINE: "1",
    PI_SKIP_VERSION_CHECK: "1",
    PI_TELEMETRY: "0",
  };
}

export interface NestOptions {
  /** Laid over `server` of the config. */
  readonly server?: Readonly<Record<string, unknown>>;
  /** Its vault · a folder of its own. */
  readonly vault?: string;
  /** Runs this program as pi, and not the scripted model. */
  readonly agentCommand?: readonly string[];
  /** Entry of the copy of Nest that is measured, to see what a change gains · this one's. */
  readonly main?: string;
}

/** Nest as a process of its own, as its owner runs it. */
export async function startNest(
  lab: Lab,
  { server, vault, agentCommand, main = MAIN }: NestOptions = {},
): Promise<Server> {
  const dir = lab.dir();
  const file = join(dir, "config.yaml");
  writeFileSync(
    file,
    stringify({
      server: { port: 0, token: TOKEN, ...server },
      log: { level: "error" },
      ...(vault !== undefined && { vault: { path: vault } }),
      ...(agentCommand !== undefined && { agent: { command: agentCommand } }),
    }),
    { mode: 0o600 },
  );
  const demo = agentCommand === undefined ? ["--demo"] : [];
  const runtime = [process.execPath, "--no-env-file", "--config=/dev/null"];
  const argv = [...runtime, main, "serve", ...demo, "--config", file];
  return lab.serve(pinned("server", argv), benchEnv(dir));
}
