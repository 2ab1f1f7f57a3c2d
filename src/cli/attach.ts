import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import type { AttachClientOptions } from "../attach/client.ts";
import { attachUrl } from "../attach/attach-url.ts";
import { probeAttach } from "../attach/probe.ts";
import { NestApi } from "../terminal/nest-api.ts";
import { colourDepth } from "../terminal/palette.ts";
import { Print } from "../terminal/print.ts";
import { connectionWords } from "../terminal/connection-words.ts";
import { parseCommandLine } from "./commands.ts";
import { defaultUrl } from "./default-url.ts";
import { startEnvironment } from "./environment.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { onHangUp } from "./hang-up.ts";
import { findToken } from "./token-source.ts";

/** Longest time without a connection with `--print`, seconds. */
const DEFAULT_WAIT_SECONDS = 30;
/** A local file that is attached, bytes: what goes into the vault in one request. */
const MAX_LOCAL_FILE_BYTES = 100 * 1024 * 1024;
/** The token was refused, before anything was shown. */
const EXIT_REFUSED = 5;
/** The terminal is gone: what a shell calls an end by SIGHUP. */
const EXIT_HUNG_UP = 129;

/** `nest attach [URL]` */
export async function attach(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(
    "attach",
    args,
    {
      session: { type: "string" },
      "token-file": { type: "string" },
      print: { type: "string" },
      json: { type: "boolean" },
      wait: { type: "string" },
    },
    1,
  );
  const base = positionals[0] ?? defaultUrl();
  const url = socketUrl(base);
  const env = startEnvironment();
  if (values.print === undefined && !(process.stdin.isTTY && process.stdout.isTTY)) {
    throw new Exit(
      EXIT_USAGE,
      "nest attach: not on a terminal. For scripts: nest attach --print TEXT",
    );
  }
  if (values.json === true && values.print === undefined)
    throw new Exit(EXIT_USAGE, "nest attach: --json goes with --print");
  const token = await findToken("attach", values["token-file"], env["NEST_TOKEN"]);
  // Nothing that this program might start needs it.
  delete process.env["NEST_TOKEN"];
  const client = {
    url,
    token: () => token,
    session: values.session ?? "default",
    clock: {
      monotonicMs: () => performance.now(),
      // Unlike the gateway's, these keep the program alive: waiting for the next try is what it does.
      after: (delayMs, run) => {
        const timer = setTimeout(run, delayMs);
        return () => clearTimeout(timer);
      },
    },
    random: Math.random,
    usesHeader: true,
    openSocket: (target, headers) =>
      new WebSocket(target, headers === undefined ? {} : { headers }),
    probe: probeAttach,
  } satisfies Partial<AttachClientOptions>;

  if (values.print !== undefined) {
    const waitSeconds = Number(values.wait ?? DEFAULT_WAIT_SECONDS);
    if (!(waitSeconds >= 0 && waitSeconds <= 86_400))
      throw new Exit(EXIT_USAGE, "nest attach: --wait: expected seconds, at most 86400");
    const message = values.print === "-" ? await Bun.stdin.text() : values.print;
    if (message.trim() === "") throw new Exit(EXIT_USAGE, "nest attach: the prompt is empty");
    const print = new Print({
      client,
      message,
      json: values.json === true,
      maxAwayMs: waitSeconds * 1000,
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
    });
    // Who read the answer has gone.
    process.stdout.on("error", () => process.exit(1));
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.on(signal, () => void print.abort());
    const { code, words } = await print.run();
    if (words !== undefined) process.stderr.write(`nest attach: ${words}\n`);
    return code;
  }

  // Only here: nothing else needs the drawing library.
  const { TerminalApp } = await import("../terminal/app.ts");
  const app = new TerminalApp({
    client,
    api: new NestApi(httpUrl(url), () => token),
    colours: colourDepth(env),
    readLocalFile,
    ...(isOpenNetwork(url) && {
      warning: "This connection is not encrypted: whoever is on the way can read the token",
    }),
  });
  process.on("SIGTERM", () => app.leave());
  // Without a word: leaving in good order would write to a terminal that is gone.
  onHangUp(() => process.exit(EXIT_HUNG_UP));
  const end = await app.run();
  if (end.kind === "left") return 0;
  process.stderr.write(`nest attach: ${connectionWords(end, 0)}\n`);
  return EXIT_REFUSED;
}

function socketUrl(base: string): string {
  try {
    return attachUrl(base);
  } catch {
    throw new Exit(EXIT_USAGE, `nest attach: expected an http or https URL, found "${base}"`);
  }
}

function httpUrl(socket: string): string {
  return socket.replace(/^ws/, "http").replace(/attach$/, "");
}

/** True where the token goes over a network in the clear. */
function isOpenNetwork(socket: string): boolean {
  const { protocol, hostname } = new URL(socket);
  return protocol === "ws:" && !/^(?:localhost|.*\.localhost|127\.[\d.]+|\[::1\])$/.test(hostname);
}

function readLocalFile(path: string): Uint8Array<ArrayBuffer> | undefined {
  const file = path.replace(/^~(?=\/)/, homedir());
  try {
    // Asked first: opening a FIFO would wait for ever.
    const { size } = statSync(file, { throwIfNoEntry: true });
    if (!statSync(file).isFile() || size > MAX_LOCAL_FILE_BYTES) return undefined;
    return new Uint8Array(readFileSync(file));
  } catch {
    return undefined;
  }
}
