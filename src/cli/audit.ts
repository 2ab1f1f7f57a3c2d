import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Check } from "../audit/check.ts";
import { CHECKS } from "../audit/checks.ts";
import type { AuditClock } from "../audit/raw-connection.ts";
import { exitCodeOf, jsonReport, sarifReport } from "../audit/report.ts";
import { chosen, isMeant, type Result, run } from "../audit/run.ts";
import { Scratch } from "../audit/scratch.ts";
import { explanation, NO_STYLES, resultTable, type Styles } from "../audit/table.ts";
import { Target } from "../audit/target.ts";
import type { AuditedConfig, World } from "../audit/world.ts";
import { ConfigError, formatProblem } from "../config/problem.ts";
import { parseSource } from "../config/source.ts";
import { colourDepth, palette } from "../terminal/palette.ts";
import { parseCommandLine } from "./commands.ts";
import { DEFAULT_CONFIG, readConfigFile } from "./config-file.ts";
import { defaultUrl } from "./default-url.ts";
import { startEnvironment } from "./environment.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { print } from "./print.ts";
import { closeToOwnUser, privilegesHere, requireNoPrivileges } from "./privileges.ts";
import { findOptionalToken } from "./token-source.ts";
import { VERSION } from "./version.ts";
import { isConfirmed } from "./confirm.ts";

/** Its timers keep the program alive: waiting is part of what it does. */
const clock: AuditClock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs, then) {
    const timer = setTimeout(then, delayMs);
    return () => clearTimeout(timer);
  },
};

const CODE_FOLDER = fileURLToPath(new URL("../..", import.meta.url));

/** `nest audit [URL]` */
export async function audit(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseCommandLine(
    "audit",
    args,
    {
      config: { type: "string" },
      "token-file": { type: "string" },
      connect: { type: "string" },
      only: { type: "string", multiple: true },
      skip: { type: "string", multiple: true },
      explain: { type: "string" },
      json: { type: "boolean" },
      sarif: { type: "boolean" },
      list: { type: "boolean" },
      yes: { type: "boolean", short: "y" },
    },
    1,
  );
  const env = startEnvironment();
  const styles = stylesFor(env);
  if (values.explain !== undefined) return explain(values.explain, styles);
  if (values.list === true) return list();
  if (values.json === true && values.sarif === true)
    throw new Exit(EXIT_USAGE, "nest audit: expected --json or --sarif, found both");
  const only = words(values.only);
  const skip = words(values.skip);
  requireNoPrivileges();
  // Behind the environment, as `nest serve` does: the token is not for the agent, which is of the same user in the image.
  closeToOwnUser();

  const file = values.config ?? (existsSync(DEFAULT_CONFIG) ? DEFAULT_CONFIG : undefined);
  const config = file === undefined ? undefined : auditedConfig(file, env);
  const isConfigOnly = values.config !== undefined && positionals.length === 0;
  const stopping = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stopping.abort());

  const url = isConfigOnly ? undefined : parseUrl(positionals[0] ?? defaultUrl());
  const checks = isConfigOnly ? CHECKS.filter(({ group }) => group === "config") : CHECKS;
  const target =
    url && (await targetAt(url, values["token-file"], env["NEST_TOKEN"], values.connect));
  // Nothing that this program might start needs it.
  delete process.env["NEST_TOKEN"];
  const mayLockOut =
    target === undefined ||
    target.hasAddresses ||
    values.yes === true ||
    (needsConsent(chosen(checks, { only, skip })) && (await isAgreed(target)));

  const scratch =
    target && new Scratch(target, config?.config?.vault.path, crypto.randomUUID().slice(0, 8));
  let outside: string | undefined;
  const world: World = {
    clock,
    config,
    target,
    scratch,
    privileges: privilegesHere(),
    version: VERSION,
    codeFolder: CODE_FOLDER,
    outside: () =>
      mkdtempSync(join((outside ??= mkdtempSync(join(tmpdir(), "nest-audit-"))), "o-")),
  };
  let results: readonly Result[];
  const progress = progressLine(chosen(checks, { only, skip }).length);
  try {
    results = await run(checks, world, {
      only,
      skip,
      mayLockOut,
      tell: progress.tell,
      signal: stopping.signal,
    });
  } finally {
    progress.end();
    await target?.end();
    await scratch?.[Symbol.asyncDispose]();
    if (outside !== undefined) rmSync(outside, { recursive: true, force: true });
  }
  const where = url?.href;
  if (values.json === true) print(JSON.stringify(jsonReport(results, VERSION, where), null, 2));
  else if (values.sarif === true)
    print(JSON.stringify(sarifReport(results, VERSION, { config: file, url: where }), null, 2));
  else print(resultTable(results, styles));
  if (stopping.signal.aborted)
    throw new Exit(EXIT_USAGE, "nest audit: stopped; not all checks ran");
  return exitCodeOf(results);
}

/** The checks of a config alone, for who has just written one. */
export async function auditConfig(file: string): Promise<string> {
  const env = startEnvironment();
  const world: World = {
    clock,
    config: auditedConfig(file, env),
    target: undefined,
    scratch: undefined,
    privileges: undefined,
    version: VERSION,
    codeFolder: CODE_FOLDER,
    outside: () => {
      throw new Error("config checks need no folder");
    },
  };
  const results = await run(
    CHECKS.filter(({ group }) => group === "config"),
    world,
    { only: [], skip: [], mayLockOut: false, tell: () => {}, signal: new AbortController().signal },
  );
  return resultTable(results, stylesFor(env));
}

function explain(id: string, styles: Styles): number {
  const check = CHECKS.find((one) => one.id === id);
  if (check === undefined)
    throw new Exit(EXIT_USAGE, `nest audit: no check "${id}". See \`nest audit --list\``);
  print(explanation(check, styles));
  return 0;
}

function list(): number {
  const width = Math.max(...CHECKS.map(({ id }) => id.length));
  for (const { id, title } of CHECKS) print(`${id.padEnd(width)}  ${title}`);
  return 0;
}

/** Ids and groups, separated by commas or given one by one. */
function words(given: readonly string[] | undefined): string[] {
  const all = (given ?? []).flatMap((text) => text.split(",")).map((text) => text.trim());
  const unknown = all.find((word) => !CHECKS.some((check) => isMeant(check, [word])));
  if (unknown !== undefined)
    throw new Exit(EXIT_USAGE, `nest audit: no check "${unknown}". See \`nest audit --list\``);
  return all;
}

/** The config as it is, with its problems; a file that can't be read ends the command. */
function auditedConfig(
  file: string,
  env: Readonly<Record<string, string | undefined>>,
): AuditedConfig {
  const named = { file, path: resolve(file) };
  let loaded: Pick<AuditedConfig, "config" | "problems" | "warnings">;
  try {
    const { config, warnings } = readConfigFile(file, env);
    loaded = { config, problems: [], warnings: warnings.map(formatProblem) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    loaded = { config: undefined, problems: error.problems.map(formatProblem), warnings: [] };
  }
  const source = parseSource(file, readFileSync(file, "utf8"));
  return { ...named, ...loaded, raw: Array.isArray(source) ? undefined : source.value };
}

function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "") return url;
  throw new Exit(EXIT_USAGE, `nest audit: expected an http or https URL, found "${text}"`);
}

async function targetAt(
  url: URL,
  tokenFile: string | undefined,
  fromEnv: string | undefined,
  connectTo: string | undefined,
): Promise<Target> {
  if (connectTo !== undefined && isIP(connectTo) === 0)
    throw new Exit(
      EXIT_USAGE,
      `nest audit: --connect: expected an IP address, found "${connectTo}"`,
    );
  const token = await findOptionalToken("audit", tokenFile, fromEnv);
  const [a = 0, b = 0] = crypto.getRandomValues(new Uint8Array(2));
  const target = new Target(url, token, clock, [a, b % 255], connectTo);
  if (!(await target.probe()))
    throw new Exit(EXIT_USAGE, `nest audit: ${url.origin}: no answer. Is Nest running there?`);
  if (token === undefined) return target;
  // One wrong token for all checks would lock the owner out by itself.
  const status = await target.owner().status("/api/status");
  if (status === 401) throw new Exit(EXIT_USAGE, `nest audit: ${url.origin} refused the token`);
  if (status === 429)
    throw new Exit(
      EXIT_USAGE,
      `nest audit: ${url.origin} has locked this address out; wait a minute`,
    );
  return target;
}

function needsConsent(checks: readonly Check[]): boolean {
  return checks.some(({ locks, guesses }) => locks === true || (guesses ?? 0) > 0);
}

async function isAgreed(target: Target): Promise<boolean> {
  if (!process.stdin.isTTY) return false;
  return isConfirmed(
    `Some checks guess at the token, and will lock the address that you come from out of ${target.origin} for a minute or as configured. Run them, last? [y/N] `,
    false,
  );
}

function stylesFor(env: Readonly<Record<string, string | undefined>>): Styles {
  if (!process.stdout.isTTY) return NO_STYLES;
  const depth = colourDepth(env);
  return depth === "none" ? NO_STYLES : palette(depth);
}

/** One line on stderr that counts, where somebody watches. */
function progressLine(total: number) {
  let done = 0;
  const isShown = process.stderr.isTTY;
  return {
    tell: ({ check }: Result) => {
      if (isShown) process.stderr.write(`\r\x1b[K${++done}/${total} ${check.id}`);
    },
    end: () => {
      if (isShown) process.stderr.write("\r\x1b[K");
    },
  };
}
