import { mkdirSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { stateFolder } from "./state-folder.ts";

/** What the commands on the same machine can ask of a running gateway. */
export interface ControlHandlers {
  /** Reads the config anew; what is wrong with it, or nothing. */
  readonly reload: () => string | undefined;
  /** Ends a lock-out: the address as it was locked, `undefined` if it is none, `lifted` false if it was not locked. */
  readonly unlock: (address: string) => { address: string; lifted: boolean } | undefined;
}

export interface ControlAnswer {
  readonly ok: boolean;
  readonly message: string;
}

/** Longest path of a socket, bytes: `sun_path` of unix(7) without its end. */
const MAX_PATH_BYTES = 107;
/** Longest wait for an answer, ms. */
const TIMEOUT_MS = 5000;

/** A socket among Nest's own files, so that a command finds the gateway that runs with this very config. */
export function controlPath(configFile: string): string {
  return join(stateFolder(configFile), `${basename(configFile)}.sock`);
}

/**
 * Listens for commands of this machine on a Unix socket with mode 0600: who may connect is who may read the config, and
 * that is who may do anything. No token is needed, so none has to be kept for it, and nobody can be locked out of it.
 *
 * @returns how to end it, or why there is none
 */
export async function listenControl(
  path: string,
  handlers: ControlHandlers,
): Promise<(() => void) | string> {
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return "the path of the config is too long for it";
  if ((await ask(path, "ping")) !== undefined) return "another Nest runs with this config";
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    // What a Nest that was killed has left behind.
    rmSync(path, { force: true });
    // The mode is there from the first moment: no other thread makes files meanwhile that it could harm.
    const umask = process.umask(0o177);
    try {
      const server = Bun.serve({ unix: path, fetch: (request) => answer(request, handlers) });
      return () => {
        void server.stop(true);
        rmSync(path, { force: true });
      };
    } finally {
      process.umask(umask);
    }
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
  }
}

/** Asks the gateway that runs with this config; `undefined` if none does. */
export function askGateway(
  configFile: string,
  command: "reload" | "unlock",
  argument = "",
): Promise<ControlAnswer | undefined> {
  return ask(controlPath(configFile), command, argument);
}

async function ask(
  path: string,
  command: string,
  argument = "",
): Promise<ControlAnswer | undefined> {
  try {
    const response = await fetch(`http://nest/${command}`, {
      unix: path,
      method: "POST",
      body: argument,
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    return (await response.json()) as ControlAnswer;
  } catch {
    return undefined;
  }
}

async function answer(request: Request, handlers: ControlHandlers): Promise<Response> {
  const argument = (await request.text()).slice(0, 200);
  const say = (ok: boolean, message: string) =>
    Response.json({ ok, message } satisfies ControlAnswer);
  switch (new URL(request.url).pathname) {
    case "/ping":
      return say(true, "");
    case "/reload": {
      const problem = handlers.reload();
      return say(problem === undefined, problem ?? "");
    }
    case "/unlock": {
      const result = handlers.unlock(argument);
      if (result === undefined) return say(false, "expected an IP address");
      const { address, lifted } = result;
      return say(lifted, lifted ? `${address} is free again` : `${address} is not locked out`);
    }
    default:
      return say(false, "no such command");
  }
}
