import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { digestOf } from "../auth/authenticator.ts";
import { newToken } from "../auth/new-token.ts";
import { OWNER, SCOPES, type Scope } from "../auth/principal.ts";
import type { Config } from "../config/config.ts";
import { addToken, removeToken, replaceToken } from "../config/edit.ts";
import { AuditLog } from "../log/audit-log.ts";
import { createLog } from "../log/log.ts";
import { systemClock } from "./clock.ts";
import { parseCommandLine } from "./commands.ts";
import { editConfigFile } from "./config-edit.ts";
import { DEFAULT_CONFIG, requireConfigFile } from "./config-file.ts";
import { askGateway } from "./control.ts";
import { startEnvironment } from "./environment.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { print } from "./print.ts";

/** Printable and short: it stands in logs and in what the agent reads. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

const OPTIONS = {
  config: { type: "string" },
  scopes: { type: "string" },
  expires: { type: "string" },
} as const;

/** `nest token add|list|revoke|rotate …` */
export async function editTokens(action: string, args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine("token", args, OPTIONS, 1);
  const file = values.config ?? DEFAULT_CONFIG;
  if (action === "list") return list(file);
  const [name] = positionals;
  if (name === undefined || !NAME.test(name)) {
    throw new Exit(
      EXIT_USAGE,
      `nest token ${action}: expected a name: letters, digits, . _ and -, at most 64, a letter or digit first`,
    );
  }
  if (action !== "add" && (values.scopes ?? values.expires) !== undefined)
    throw new Exit(EXIT_USAGE, `nest token ${action}: expected no --scopes and no --expires`);
  const token = newToken();
  const secret = `sha256:${digestOf(token).toHex()}`;
  const env = editorsEnvironment();
  const { config } = editConfigFile(file, env, (text) => {
    switch (action) {
      case "add": {
        const scopes = scopesOf(values.scopes);
        const expires = values.expires === undefined ? {} : { expires: values.expires };
        return addToken(text, { name, token: secret, scopes, ...expires });
      }
      case "revoke":
        if (name === OWNER)
          throw new Exit(EXIT_USAGE, "The owner's token can't be revoked; rotate it instead");
        return removeToken(text, name);
      default:
        return replaceToken(text, name, secret);
    }
  });
  audit(config, action, name);
  if (action !== "revoke") {
    // Alone on its line and on standard output: for a person to copy or a script to take.
    print(token);
    process.stderr.write("It is shown this once; the config keeps only its hash.\n");
  }
  await follow(file);
  return 0;
}

/**
 * The environment of whoever edits, in which `env:` secrets of the gateway need not be: what is not there stands for
 * some good secret, since only the rest of the file is of interest.
 */
function editorsEnvironment(): Readonly<Record<string, string | undefined>> {
  return new Proxy(startEnvironment(), {
    get: (known, name) =>
      known[String(name)] || `${String(name)}-is-not-set-here-${"x".repeat(32)}`,
  });
}

function scopesOf(text: string | undefined): Scope[] {
  const scopes = [...new Set((text ?? "").split(",").map((scope) => scope.trim()))];
  const unknown = scopes.filter((scope) => !(SCOPES as readonly string[]).includes(scope));
  if (text === undefined || unknown.length > 0) {
    throw new Exit(
      EXIT_USAGE,
      `nest token add: expected --scopes with some of ${SCOPES.join(",")}`,
    );
  }
  return scopes as Scope[];
}

/** Names, scopes and dates; the config holds nothing more that could be shown. */
function list(file: string): number {
  const { config } = requireConfigFile(file, editorsEnvironment());
  const rows = config.server.principals.map(({ name, scopes, expiresMs }) => [
    name,
    name === OWNER ? "everything" : [...scopes].join(","),
    expiresMs === undefined
      ? "never"
      : `${new Date(expiresMs).toISOString()}${expiresMs <= systemClock.wallMs() ? " (expired)" : ""}`,
  ]);
  const widths = [0, 1].map((i) => Math.max(...rows.map((row) => (row[i] as string).length)));
  for (const [name = "", scopes = "", expires = ""] of rows)
    print(`${name.padEnd(widths[0] as number)}  ${scopes.padEnd(widths[1] as number)}  ${expires}`);
  return 0;
}

/** Has a running Nest read the file; says what came of it. */
async function follow(file: string): Promise<void> {
  const answer = await askGateway(resolve(file), "reload");
  const said =
    answer === undefined
      ? "No running Nest was found for this config; send it SIGHUP if there is one."
      : answer.ok
        ? "The running Nest follows it."
        : `The running Nest does NOT follow it: ${answer.message}`;
  process.stderr.write(`${said}\n`);
  if (answer?.ok === false) throw new Exit(1, "nest token: the config was changed all the same");
}

/**
 * Tells the security log, where there is one: a new one would be whose this command is, and the gateway might not be
 * able to write to it.
 */
function audit(config: Config, action: string, name: string): void {
  const { audit: path } = config.log;
  if (path === undefined || !existsSync(path)) return;
  try {
    // Putting it aside is the gateway's.
    using file = new AuditLog({ path, maxBytes: Number.POSITIVE_INFINITY });
    const log = createLog({
      level: "error",
      format: "json",
      wallMs: () => systemClock.wallMs(),
      write: () => {},
      writeAudit: (line) => file.append(line),
    });
    log.audit("token_changed", { token: name, action, by: "nest token", uid: process.getuid?.() });
  } catch (error) {
    process.stderr.write(
      `The security log could not be written to (${(error as NodeJS.ErrnoException).code}).\n`,
    );
  }
}
