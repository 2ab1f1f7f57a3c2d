import { dirname, join } from "node:path";

/**
 * What Nest itself keeps, beside the config: conversations by session, and files whose names have a dot, which no
 * session's has. The only place but the vault that Nest has to be able to write to; whoever writes makes it, mode 0700.
 */
export function stateFolder(configFile: string): string {
  return join(dirname(configFile), "sessions");
}
