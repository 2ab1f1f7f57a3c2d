import { dirname, resolve } from "node:path";
import * as v from "valibot";
import { digestOf } from "../auth/authenticator.ts";
import { OWNER, type Principal, SCOPES } from "../auth/principal.ts";
import { isLoopback, parseIpAddress } from "../limit/ip-address.ts";
import type { Config, WebhookSource } from "./config.ts";
import { nearest } from "./nearest.ts";
import { ConfigError, type Problem } from "./problem.ts";
import { type ConfigFile, configSchema } from "./schema.ts";
import { resolveSecret, type Secret, SecretError, type SecretSources } from "./secret.ts";
import { parseSource, type Source } from "./source.ts";
import { tokenWeakness } from "./token-strength.ts";

/** A usable config, and what its owner might want to change. */
export interface LoadedConfig {
  readonly config: Config;
  readonly warnings: readonly Problem[];
}

/**
 * Turns the text of a config file into a `Config`.
 *
 * @param file - as it is to be named in messages; relative paths in it are relative to its folder
 * @throws {ConfigError} with every problem at once
 */
export function loadConfig(file: string, text: string, sources: SecretSources): LoadedConfig {
  const source = parseSource(file, text);
  if (Array.isArray(source)) throw new ConfigError(source);
  const parsed = v.safeParse(configSchema, source.value ?? {}, { abortPipeEarly: true });
  if (!parsed.success)
    throw new ConfigError(parsed.issues.map((issue) => problemOf(source, issue)));
  return new Resolver(file, source, sources).resolve(parsed.output);
}

/** Keys whose wrong values are shown, being short words or numbers: a value elsewhere may be a secret that slipped. */
const SHOWN_KEYS = new Set([
  "port",
  "host",
  "level",
  "format",
  "verify",
  "expires",
  "maxFileBytes",
  "maxFailures",
  "windowSeconds",
  "ipv6Prefix",
  "perSource",
  "global",
]);
const SHORT_WORD = /^[\w.:+-]{1,16}$/;

/** What a key may look like to be repeated: `token:secret` without a space is one key in YAML. */
const KEY = /^[A-Za-z][A-Za-z0-9_-]{0,31}$/;

function problemOf(source: Source, issue: v.BaseIssue<unknown>): Problem {
  const items = issue.path ?? [];
  const path = items.map((item) => item.key as string | number);
  const last = items.at(-1);
  const isKey = last !== undefined && "origin" in last && last.origin === "key";
  if (issue.type === "strict_object" && issue.expected === "never" && last !== undefined) {
    return unknownKey(source, path);
  }
  if (last !== undefined && last.value === undefined && issue.received === "undefined") {
    // The schema's message is that of the mapping around it; of the owner's token there is more to say.
    const isToken = /^server(?:\.token)?$/.test(path.join("."));
    const hint = isToken ? ": the owner's token; `nest token` prints a new one" : "";
    return source.problem(path, `expected this required key, found nothing${hint}`);
  }
  if (isKey && !KEY.test(String(path.at(-1)))) {
    return source.problem(path, `expected ${issue.message}`, "key", path.slice(0, -1));
  }
  const found = SHOWN_KEYS.has(String(path.at(-1))) ? shown(issue.input) : kindOf(issue.input);
  return source.problem(path, `expected ${issue.message}, found ${found}`, isKey ? "key" : "value");
}

function unknownKey(source: Source, path: readonly (string | number)[]): Problem {
  const parent = path.slice(0, -1);
  const known = knownKeys(parent);
  const key = String(path.at(-1));
  if (!KEY.test(key)) {
    const message = `unknown key; expected one of ${known.join(", ")}. Is a space missing behind a colon?`;
    return source.problem(path, message, "key", parent);
  }
  const hint = nearest(key, known);
  const message =
    hint === undefined ? `expected one of ${known.join(", ")}` : `did you mean "${hint}"?`;
  return source.problem(path, `unknown key; ${message}`, "key");
}

/** The keys that the schema has at `path`. */
function knownKeys(path: readonly (string | number)[]): string[] {
  type Node = {
    wrapped?: Node;
    entries?: Record<string, Node>;
    item?: Node;
    value?: Node;
  };
  let node: Node | undefined = configSchema as unknown as Node;
  for (const part of path) {
    while (node?.wrapped) node = node.wrapped;
    node = typeof part === "number" ? node?.item : (node?.entries?.[part] ?? node?.value);
  }
  while (node?.wrapped) node = node.wrapped;
  return Object.keys(node?.entries ?? {});
}

function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "an empty value";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (value === "") return "an empty string";
  return typeof value === "string" ? "another string" : `a ${typeof value}`;
}

function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return typeof value === "string" && SHORT_WORD.test(value) ? `"${value}"` : kindOf(value);
}

/** Fetches secrets and makes paths absolute, gathering what is wrong. */
class Resolver {
  readonly #problems: Problem[] = [];
  readonly #warnings: Problem[] = [];
  readonly #withheldEnv: string[] = [];
  readonly #file: string;
  readonly #source: Source;
  readonly #sources: SecretSources;

  constructor(file: string, source: Source, sources: SecretSources) {
    this.#file = file;
    this.#source = source;
    this.#sources = sources;
  }

  resolve({ server, vault, agent, sessions, webhooks, log }: ConfigFile): LoadedConfig {
    const base = dirname(resolve(this.#file));
    const vaultPath = resolve(base, vault.path);
    const sessionMap = new Map([["default", { cwd: vaultPath }]]);
    for (const [name, session] of Object.entries(sessions)) {
      sessionMap.set(name, {
        cwd: session.cwd === undefined ? vaultPath : resolve(base, session.cwd),
      });
    }
    const config: Config = {
      file: resolve(this.#file),
      server: {
        host: server.host,
        port: server.port,
        principals: this.#principals(server),
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
        withheldEnv: this.#withheldEnv,
      },
      sessions: sessionMap,
      webhooks: {
        perSource: webhooks.perSource,
        global: webhooks.global,
        sources: this.#webhookSources(webhooks.sources, sessionMap),
      },
      log,
    };
    if (this.#problems.length > 0) throw new ConfigError(this.#problems);
    return { config, warnings: this.#warnings };
  }

  #principals(server: ConfigFile["server"]): Principal[] {
    const principals: Principal[] = [];
    const add = (
      name: string,
      secret: Secret,
      path: (string | number)[],
      rest: Omit<Principal, "name" | "digest">,
    ) => {
      const digest = this.#tokenDigest(secret, path, server.host);
      if (digest === undefined) return;
      const twin = principals.find((other) => digest.every((byte, i) => byte === other.digest[i]));
      if (twin)
        this.#fail(path, `expected a token of its own, found the same one as "${twin.name}"`);
      principals.push({ name, digest, ...rest });
    };
    add(OWNER, server.token, ["server", "token"], { scopes: new Set(SCOPES) });
    const names = new Set([OWNER]);
    for (const [i, { name, token, scopes, expires }] of server.tokens.entries()) {
      if (names.has(name))
        this.#fail(["server", "tokens", i, "name"], "expected a name of its own, found one twice");
      names.add(name);
      add(name, token, ["server", "tokens", i, "token"], {
        scopes: new Set(scopes),
        ...(expires !== undefined && { expiresMs: expires }),
      });
    }
    return principals;
  }

  #tokenDigest(secret: Secret, path: (string | number)[], host: string): Uint8Array | undefined {
    const resolved = this.#secret(secret, path);
    if (resolved === undefined) return undefined;
    if ("sha256" in resolved) return resolved.sha256;
    const address = parseIpAddress(host);
    const weakness = tokenWeakness(
      resolved.text,
      host === "localhost" || (address !== undefined && isLoopback(address)),
    );
    if (weakness?.refused) this.#fail(path, weakness.message);
    else if (weakness) this.#warnings.push(this.#source.problem(path, weakness.message));
    return digestOf(resolved.text);
  }

  #webhookSources(
    sources: ConfigFile["webhooks"]["sources"],
    sessions: ReadonlyMap<string, unknown>,
  ): Map<string, WebhookSource> {
    const resolvedSources = new Map<string, WebhookSource>();
    for (const [name, { secret, verify, session, template }] of Object.entries(sources)) {
      const path = ["webhooks", "sources", name];
      if (!sessions.has(session)) {
        this.#fail([...path, "session"], `expected one of ${[...sessions.keys()].join(", ")}`);
      }
      const resolved = this.#secret(secret, [...path, "secret"]);
      if (resolved === undefined) continue;
      const rest = { session, ...(template !== undefined && { template }) };
      if (verify === "bearer") {
        const digest = "sha256" in resolved ? resolved.sha256 : digestOf(resolved.text);
        resolvedSources.set(name, { verify, digest, ...rest });
      } else if ("text" in resolved) {
        resolvedSources.set(name, { verify, secret: resolved.text, ...rest });
      } else {
        this.#fail(
          [...path, "secret"],
          `expected the secret itself, since verify "${verify}" computes with it, found sha256:`,
        );
      }
    }
    return resolvedSources;
  }

  #secret(secret: Secret, path: (string | number)[]) {
    if (secret.kind === "env") this.#withheldEnv.push(secret.name);
    try {
      return resolveSecret(secret, this.#sources);
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      this.#fail(path, error.message);
      return undefined;
    }
  }

  #fail(path: (string | number)[], message: string): void {
    this.#problems.push(this.#source.problem(path, message));
  }
}
