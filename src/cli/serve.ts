import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { formatProblem } from "../config/problem.ts";
import { AuditLog } from "../log/audit-log.ts";
import { createLog, type Log } from "../log/log.ts";
import { systemClock } from "./clock.ts";
import { parseCommandLine } from "./commands.ts";
import { DEFAULT_CONFIG, readConfigFile, requireConfigFile } from "./config-file.ts";
import { startEnvironment } from "./environment.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { controlPath, listenControl } from "./control.ts";
import { type Gateway, startGateway } from "./gateway.ts";
import { createConfig } from "./init.ts";
import { print } from "./print.ts";
import { closeToOwnUser, requireNoPrivileges } from "./privileges.ts";
import { VERSION } from "./version.ts";

/** Stopping ends by then, whatever hangs (contract section 1: 10 s). */
const STOP_LIMIT_MS = 9500;

/** `nest serve`: config, log, gateway, signals. Runs until a signal ends it. */
export async function serve(args: readonly string[]): Promise<number> {
  const { values } = parseCommandLine(
    "serve",
    args,
    { config: { type: "string" }, demo: { type: "boolean" } },
    0,
  );
  const file = values.config ?? DEFAULT_CONFIG;
  const demo = values.demo === true;
  requireNoPrivileges();
  const env = startEnvironment();
  // Behind the environment: from here on /proc/self/environ is root's.
  closeToOwnUser();
  const created = existsSync(file) ? undefined : createConfig(file);
  // At once: whatever comes in the way of starting, the token must not be lost with it.
  if (created !== undefined)
    print(
      `Made ${created.configFile} with a new token, shown this once:\n\n  token      ${created.token}\n`,
    );
  const { config, warnings } = requireConfigFile(file, env);
  const audit = openAuditLog(config.log.audit);
  const log = createLog({
    level: config.log.level,
    format:
      config.log.format === "auto" ? (process.stderr.isTTY ? "text" : "json") : config.log.format,
    wallMs: () => systemClock.wallMs(),
    write: (line) => process.stderr.write(line),
    ...(audit !== undefined && { writeAudit: auditWriter(audit) }),
  });
  process.on("unhandledRejection", (reason) => {
    log.error("unhandled_rejection", {
      reason: reason instanceof Error ? reason.stack : String(reason),
    });
  });
  // Who read our output has gone; that ends nothing here.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
  for (const warning of warnings) log.warn("config_warning", { reason: formatProblem(warning) });

  // Before the agent is started: a signal that comes sooner is the system's, and would leave it behind.
  const stopped = firstSignal("SIGTERM", "SIGINT");
  const gateway = startGateway({ config, clock: systemClock, log, env, demo });
  greet(gateway, config.file, config.vault.path, demo, created !== undefined);
  log.audit("started", { version: VERSION, url: gateway.url });
  // While nobody waits for it yet.
  gateway.prepareWorkspace();
  log.info("started", { version: VERSION, url: gateway.url, config: config.file, demo });

  process.on("SIGHUP", () => reload(gateway, file, env, log));
  const endControl = await listenControl(controlPath(config.file), {
    reload: () => reload(gateway, file, env, log),
    unlock: (address) => gateway.unlock(address),
  });
  if (typeof endControl === "string") {
    log.warn("no_control_socket", {
      reason: endControl,
      effect: "`nest unlock` does not work; `nest token` needs a SIGHUP behind it",
    });
  }
  const signal = await stopped;
  log.info("stopping", { signal });
  const timer = setTimeout(() => process.exit(0), STOP_LIMIT_MS);
  if (typeof endControl === "function") endControl();
  await gateway.stop();
  clearTimeout(timer);
  log.audit("stopped", { signal });
  log.info("stopped");
  return 0;
}

/** @throws {Exit} in one line: an owner who wants a security log does not want to be without. */
function openAuditLog(path: string | undefined): AuditLog | undefined {
  if (path === undefined) return undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return new AuditLog({ path });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Exit(
      EXIT_USAGE,
      `Cannot write the security log "${path}" (${code}). Set log.audit to another file, or to false for none`,
    );
  }
}

/** A line that can't be written ends nothing: it is said on standard error, once a minute. */
function auditWriter(audit: AuditLog): (line: string) => void {
  let saidMs = Number.NEGATIVE_INFINITY;
  return (line) => {
    try {
      audit.append(line);
    } catch (error) {
      const nowMs = systemClock.monotonicMs();
      if (nowMs - saidMs < 60_000) return;
      saidMs = nowMs;
      process.stderr.write(`nest: cannot write the security log (${(error as Error).message})\n`);
    }
  };
}

/** All of the new config or nothing of it: then it returns why. */
function reload(
  gateway: Gateway,
  file: string,
  env: Readonly<Record<string, string | undefined>>,
  log: Log,
): string | undefined {
  try {
    const { config, warnings } = readConfigFile(file, env);
    for (const warning of warnings) log.warn("config_warning", { reason: formatProblem(warning) });
    gateway.reload(config);
    log.info("config_reloaded", { config: config.file });
    return undefined;
  } catch (error) {
    // Whatever it is, a signal must not end a gateway that works.
    const reason = (error as Error).message.replaceAll("\n", "; ");
    log.error("config_refused", { reason, effect: "the settings of before stay in force" });
    return reason;
  }
}

function firstSignal(...signals: readonly NodeJS.Signals[]): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of signals) process.on(signal, () => resolve(signal));
  });
}

function greet(
  gateway: Gateway,
  file: string,
  vault: string,
  demo: boolean,
  isFirst: boolean,
): void {
  print(`Nest ${VERSION}`);
  print(`  listening  ${gateway.url}`);
  print(`  config     ${file}`);
  print(`  vault      ${vault}`);
  if (demo) print("  model      scripted: answers come from a script, no model is asked (--demo)");
  if (!isFirst) return;
  print("");
  print("The config keeps only the token's hash. Whoever has the token runs commands here.");
  print(`Next: open ${gateway.url}/ in a browser and sign in with it.`);
}
