import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { OWNER, type Principal, SCOPES } from "../auth/principal.ts";
import type { Config, WebhookSource } from "./config.ts";
import { ConfigError, inFileOrder, type Problem } from "./problem.ts";
import { type References, resolveReferences } from "./references.ts";
import { type ConfigFile, configSchema } from "./schema.ts";
import { schemaProblems, unknownKeys } from "./schema-problems.ts";
import type { SecretSources } from "./secret.ts";
import { parseSource } from "./source.ts";

/** A usable config, and what its owner might want to change. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly Problem[];
}

/**
 * Turns the text of a config file into a `Config`.
 *
 * @param file - as it is to be named in messages; relative paths in it are relative to its folder
 * @throws {ConfigError} with every problem at once: of the schema, of unknown keys, of secrets and references
 */
export function loadConfig(file: string, text: string, sources: SecretSources): LoadedConfig {
  const source = parseSource(file, text);
  if (Array.isArray(source)) throw new ConfigError(source);
  const parsed = v.safeParse(configSchema, source.value ?? {}, { abortPipeEarly: true });
  const references = resolveReferences(source, sources);
  const problems = [
    ...schemaProblems(source, parsed.issues ?? []),
    ...unknownKeys(source),
    ...references.problems,
  ];
  if (!parsed.success || problems.length > 0) throw new ConfigError(inFileOrder(problems));
  return {
    config: assemble(resolve(file), parsed.output, references),
    warnings: references.warnings,
  };
}

/** Fills in secrets and makes paths absolute. */
function assemble(
  file: string,
  { server, vault, agent, sessions, webhooks, log }: ConfigFile,
  references: References,
): Config {
  const base = dirname(file);
  const vaultPath = resolve(base, vault.path);
  const sessionMap = new Map([["default", { cwd: vaultPath, idleMinutes: 0 }]]);
  for (const [name, { cwd, idleMinutes }] of Object.entries(sessions)) {
    sessionMap.set(name, {
      cwd: cwd === undefined ? vaultPath : resolve(base, cwd),
      idleMinutes,
    });
  }
  return {
    file,
    server: {
      host: server.host,
      port: server.port,
      principals: principals(server, references),
      trustedProxies: server.trustedProxies,
      hosts: server.hosts,
      corsOrigins: server.cors?.origin ?? [],
      rateLimit: server.rateLimit,
    },
    vault: { path: vaultPath, maxFileBytes: vault.maxFileBytes },
    agent: {
      ...(agent.command && { command: agent.command }),
      args: agent.args,
      env: agent.env,
      withheldEnv: references.withheldEnv,
    },
    sessions: sessionMap,
    webhooks: {
      perSource: webhooks.perSource,
      global: webhooks.global,
      sources: webhookSources(webhooks.sources, references),
    },
    log: {
      level: log.level,
      format: log.format,
      ...(log.audit !== false && { audit: resolve(base, log.audit) }),
    },
  };
}

function principals(server: ConfigFile["server"], references: References): Principal[] {
  const all: Principal[] = [
    { name: OWNER, digest: references.digest(["server", "token"]), scopes: new Set(SCOPES) },
  ];
  for (const [i, { name, scopes, expires }] of server.tokens.entries()) {
    all.push({
      name,
      digest: references.digest(["server", "tokens", i, "token"]),
      scopes: new Set(scopes),
      ...(expires !== undefined && { expiresMs: expires }),
    });
  }
  return all;
}

function webhookSources(
  sources: ConfigFile["webhooks"]["sources"],
  references: References,
): Map<string, WebhookSource> {
  const entries = Object.entries(sources).map(([name, { verify, session, template }]) => {
    const path = ["webhooks", "sources", name, "secret"];
    const rest = { session, ...(template !== undefined && { template }) };
    const source: WebhookSource =
      verify === "bearer"
        ? { verify, digest: references.digest(path), ...rest }
        : { verify, secret: references.text(path), ...rest };
    return [name, source] as const;
  });
  return new Map(entries);
}
