import { accessSync, constants, mkdirSync, mkdtempSync, realpathSync, rmdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { bootId, DiskJournal } from "../agent/disk-journal.ts";
import { Agent, AgentMissing, type AgentOptions } from "../agent/launch.ts";
import { ModelProbe } from "../agent/model-probe.ts";
import { Sessions } from "../agent/sessions.ts";
import { Attach } from "../attach/attach.ts";
import { Authenticator } from "../auth/authenticator.ts";
import { fileBrowserStore } from "../auth/browser-store.ts";
import { BrowserTokens } from "../auth/browser-tokens.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { createApp } from "../http/app.ts";
import { type HttpSettings, RequestScope } from "../http/env.ts";
import { ClientAddresses } from "../limit/client-address.ts";
import type { FailureLimits } from "../limit/failure-store.ts";
import { LockOut } from "../limit/lock-out.ts";
import { MemoryFailureStore } from "../limit/memory-failure-store.ts";
import { floodGuarded } from "../log/flood-guard.ts";
import type { Log } from "../log/log.ts";
import { countedLog } from "../metrics/counted-log.ts";
import { imageReader } from "../vault/image.ts";
import { vaultSize } from "../vault/size.ts";
import { Vault } from "../vault/vault.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { GatewayMetrics } from "./gateway-metrics.ts";
import { findRipgrep } from "./ripgrep.ts";
import { stateFolder } from "./state-folder.ts";
import { watchVault } from "./vault-watch.ts";
import { lockFolder } from "./folder-lock.ts";
import { VERSION } from "./version.ts";
import { startWebhooks, webhookSettings } from "./webhook-parts.ts";
import { workspaceSource } from "./workspace.ts";

export interface GatewayOptions {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Nest's environment, of which the agent gets an allow-list. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Answers come from pi's scripted model whatever is configured. */
  readonly demo: boolean;
}

/** A running gateway. */
export interface Gateway {
  /** Where it listens, `http://host:port`. */
  readonly url: string;
  /** Takes over the settings that can change while running; what needs a restart is only logged. */
  reload(config: Config): void;
  /** Ends a lock-out; `undefined` for what is no address. */
  unlock(address: string): { address: string; lifted: boolean } | undefined;
  /** Bundles or unpacks the workspace before a browser asks for it. */
  prepareWorkspace(): void;
  /** Stops accepting, closes sockets with 1001, lets the agents end. */
  stop(): Promise<void>;
}

/** Failed addresses remembered (contract section 3, Memory). */
const MAX_ADDRESSES = 65_536;
/** Events kept per session (contract section 5). */
const MAX_EVENTS = 10_000;
const MAX_EVENT_BYTES = 64 * 1024 * 1024;
/** Time for an agent to end its tools, ms: the rest of the ten seconds is for closing and the sweep behind it. */
const AGENT_GRACE_MS = 7000;

/**
 * Puts the parts together and listens.
 *
 * @throws {Exit} in one line, if the vault, the agent or the address can't be used
 */
export function startGateway({ config, clock, env, demo, ...rest }: GatewayOptions): Gateway {
  const metrics = new GatewayMetrics(clock);
  const guarded = floodGuarded(rest.log, () => clock.monotonicMs());
  // Counted are all, told or not.
  const log = countedLog(guarded, (event) => metrics.countEvent(event));
  prepareVault(config.vault.path);
  keepApart(config);
  const vault = openVault(config.vault.path, clock, log);
  const agent = findAgent({ ...config.agent, ownEnv: env });
  const models = new ModelProbe(
    agent,
    config.vault.path,
    clock,
    log,
    demo ? "scripted" : undefined,
  );
  const readImage = imageReader(vault);
  const boot = bootId();
  const sessionsDir = stateFolder(config.file);
  const releaseSessions = lockFolder(sessionsDir, log);
  const sessions = new Sessions({
    dir: sessionsDir,
    configured: new Set(config.sessions.keys()),
    settings: (name, dir) => ({
      cwd: config.sessions.get(name)?.cwd ?? config.vault.path,
      idleMs: (config.sessions.get(name)?.idleMinutes ?? 0) * 60_000,
      agent,
      models,
      journal: new DiskJournal({
        dir: join(dir, "journal"),
        maxEvents: MAX_EVENTS,
        maxBytes: MAX_EVENT_BYTES,
        bootId: boot,
        clock,
        log,
      }),
      clock,
      log,
      readImage,
    }),
    log,
  });

  const authenticator = new Authenticator([], () => clock.wallMs());
  const lockOut = new LockOut(
    new MemoryFailureStore(failureLimits(config)),
    failureLimits(config),
    clock,
    {
      started: (address, failures, remainingMs, cause) =>
        log.security("lockout_start", {
          address,
          route: cause?.route,
          reason: `${failures} failed authentications`,
          seconds: seconds(remainingMs),
          request: cause?.request,
        }),
      ended: (address, reason) => log.security("lockout_end", { address, reason }),
    },
  );
  const attach = new Attach({ authenticator, lockOut, sessions, clock, log, version: VERSION });
  const webhooks = startWebhooks(config, sessions, clock, log);
  const vaultBytes = vaultSize(config.vault.path, () => clock.monotonicMs());
  const browsers = new BrowserTokens({
    store: fileBrowserStore(join(stateFolder(config.file), "browsers.json"), (doing, reason) =>
      log.warn("browsers_not_kept", { doing, reason, fix: "let Nest write beside its config" }),
    ),
    wallMs: () => clock.wallMs(),
    changed: takeTokens,
  });
  browsers.setConfigured(config.server.principals);
  takeTokens();
  function takeTokens(): void {
    authenticator.setPrincipals(browsers.principals());
    attach.revalidate();
  }
  const workspace = workspaceSource(log);
  const startedMs = clock.monotonicMs();
  const search = vault.searcher({ clock, ripgrep: findRipgrep(env["PATH"], config.vault.path) });
  const app = createApp({
    authenticator,
    lockOut,
    attach,
    webhooks,
    clock,
    browsers,
    log,
    requests: metrics.requests,
    webhookOutcomes: metrics.webhookOutcomes,
    metrics: () =>
      metrics.text({
        lockedAddresses: () => lockOut.list().length,
        sockets: () => attach.size,
        sessions: () => sessions.size,
        webhooksWaiting: () => webhooks.waiting,
        vaultBytes,
      }),
    vault,
    search,
    maxFileBytes: config.vault.maxFileBytes,
    sessions,
    workspace,
    status: () => ({
      version: VERSION,
      uptimeSeconds: Math.floor((clock.monotonicMs() - startedMs) / 1000),
      sessions: sessions.size,
      sockets: attach.size,
      lockouts: lockOut.list().length,
    }),
  });

  let settings = httpSettings(config);
  let running = config;
  const server = listen(config, {
    fetch: (request, bunServer) =>
      app.fetch(request, new RequestScope(request, bunServer, settings)),
    websocket: attach.handlers,
    // Bun's own error page shows source code, and is on unless NODE_ENV says otherwise.
    development: false,
    error(error) {
      log.error("request_failed", { reason: error.stack ?? String(error) });
      return new Response(null, { status: 500 });
    },
    // Routes limit their own bodies, behind authentication: Bun's limit would answer before the lock-out does, and a
    // body that nobody reads is not kept.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    // Seconds.
    idleTimeout: 30,
  });

  attach.publishBy((topic, text) => server.publish(topic, text));

  const watch = watchVault(vault, attach, clock, log);
  // Known before the first client comes, in most cases.
  void models.choose();
  sessions.recover();

  return {
    url: server.url.origin,
    reload(next) {
      settings = httpSettings(next);
      for (const [name, reason] of changedTokens(running, next))
        log.security("token_rotated", { token: name, reason });
      webhooks.reconfigure(webhookSettings(next));
      lockOut.setLimits(failureLimits(next));
      browsers.setConfigured(next.server.principals);
      takeTokens();
      running = next;
      for (const key of needRestart(config, next))
        log.warn("reload_incomplete", { key, fix: "restart Nest" });
    },
    unlock(text) {
      const address = settings.addresses.keyOf(text);
      if (address === undefined) return undefined;
      const lifted = lockOut.lift(address);
      if (lifted) log.audit("lockout_lifted", { by: "nest unlock", lifted: address });
      return { address, lifted };
    },
    prepareWorkspace() {
      // What went wrong is logged, and tried again when it is asked for.
      workspace().catch(() => {});
    },
    async stop() {
      const closed = server.stop(false);
      attach.close();
      webhooks[Symbol.dispose]();
      metrics[Symbol.dispose]();
      await Promise.all([sessions.stop(AGENT_GRACE_MS), models.stop(AGENT_GRACE_MS)]);
      releaseSessions();
      lockOut[Symbol.dispose]();
      await server.stop(true);
      await closed;
      await Promise.all([watch[Symbol.asyncDispose](), search[Symbol.asyncDispose]()]);
      vault.close();
    },
  };
}

function findAgent(options: AgentOptions): Agent {
  try {
    return new Agent(options);
  } catch (error) {
    if (error instanceof AgentMissing) throw new Exit(EXIT_USAGE, error.message);
    throw error;
  }
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}

function httpSettings({ server }: Config): HttpSettings {
  return {
    hosts: new Set(server.hosts),
    addresses: new ClientAddresses({
      trustedProxies: server.trustedProxies,
      ipv6Prefix: server.rateLimit.ipv6Prefix,
    }),
    corsOrigins: server.corsOrigins,
  };
}

function failureLimits({ server: { rateLimit } }: Config): FailureLimits {
  return {
    maxFailures: rateLimit.maxFailures,
    windowMs: rateLimit.windowSeconds * 1000,
    maxAddresses: MAX_ADDRESSES,
  };
}

/** Tokens that went, came or are others now. */
function changedTokens(
  now: Config,
  next: Config,
): [name: string, reason: "added" | "removed" | "changed"][] {
  // What it may do and until when is as much of it as its secret.
  const all = ({ server }: Config) =>
    new Map(
      server.principals.map(({ name, digest, scopes, expiresMs }) => [
        name,
        [digest.toHex(), [...scopes].toSorted(), expiresMs].join(" "),
      ]),
    );
  const [before, after] = [all(now), all(next)];
  const names = [...new Set([...before.keys(), ...after.keys()])];
  return names
    .filter((name) => before.get(name) !== after.get(name))
    .map((name) => [name, !before.has(name) ? "added" : after.has(name) ? "changed" : "removed"]);
}

/** Keys that differ and that a running gateway can't take over. */
function needRestart(now: Config, next: Config): string[] {
  const fixed: [key: string, of: (config: Config) => unknown][] = [
    ["server.host", (config) => config.server.host],
    ["server.port", (config) => config.server.port],
    ["vault", (config) => config.vault],
    ["agent", (config) => config.agent],
    ["sessions", (config) => [...config.sessions]],
    ["log", (config) => config.log],
  ];
  return fixed.filter(([, of]) => !Bun.deepEquals(of(now), of(next))).map(([key]) => key);
}

/** Makes the vault and sees that it can be written to, for real: a read-only mount passes access(2) for root. */
function prepareVault(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    rmdirSync(mkdtempSync(join(path, ".nest-write-test-")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Exit(
      EXIT_USAGE,
      `Cannot use the vault "${path}": it can't be written to (${code}). Set vault.path to a folder of yours`,
    );
  }
}

/**
 * Nest's own files must not lie in the vault: who may read it would read the tokens, and who may write to it, though not
 * to `.pi` or `.git`, would write `agent.command`. Nor the vault among them.
 *
 * @throws {Exit} in one line
 */
function keepApart({ file, vault, log }: Config): void {
  const root = realpathSync(vault.path);
  const state = stateFolder(file);
  const own = [file, state, ...(log.audit === undefined ? [] : [log.audit])];
  const real = (path: string) => join(realFolder(dirname(path)), basename(path));
  const clash = own.find((path) => lies(real(path), root)) ?? (lies(root, real(state)) && state);
  if (clash) {
    throw new Exit(
      EXIT_USAGE,
      `Cannot use the vault "${vault.path}": it must not hold Nest's own "${clash}", nor lie in it. Set vault.path to a folder of its own`,
    );
  }
}

/** True if `path` is `folder` or below it, both absolute and without `/` at the end, but for the root. */
function lies(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? folder : `${folder}/`);
}

/** Without links, as far as it is there. */
function realFolder(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** Opened once: whatever is put in its place later is not the vault. */
function openVault(path: string, clock: Clock, log: Log): Vault {
  const vault = new Vault({ path, wallMs: () => clock.wallMs() });
  if (!vault.pins) {
    log.warn("vault_not_pinned", {
      reason:
        "this system can't hold folders open, so whoever can write to the vault can race its checks",
      fix: "run Nest on Linux with /proc mounted, or let nobody else write to the vault",
    });
  }
  // What there is to sweep is known before this returns: nothing written from now on is among it.
  vault.sweep().then(
    (count) => {
      if (count > 0) log.info("vault_swept", { unfinished: count });
    },
    (error) => log.warn("vault_not_swept", { reason: String((error as Error).message) }),
  );
  return vault;
}

type ListenOptions = Omit<
  Bun.Serve.Options<Attach["handlers"] extends Bun.WebSocketHandler<infer Data> ? Data : never>,
  "hostname" | "port"
>;

function listen({ server: { host, port } }: Config, options: ListenOptions) {
  try {
    return Bun.serve({ ...options, hostname: host, port } as Parameters<typeof Bun.serve>[0]);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const reason =
      code === "EADDRINUSE"
        ? "the port is in use. Stop what uses it (another Nest?) or set server.port"
        : code === "EACCES"
          ? "not allowed. Ports under 1024 need privileges; set server.port"
          : `${code ?? (error as Error).message}. Set server.host to an address of this machine`;
    throw new Exit(EXIT_USAGE, `Cannot listen on ${place}: ${reason}`);
  }
}
