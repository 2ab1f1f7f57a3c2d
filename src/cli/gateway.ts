import { join } from "node:path";
import { Attach } from "../attach/attach.ts";
import { Authenticator } from "../auth/authenticator.ts";
import { fileBrowserStore } from "../auth/browser-store.ts";
import { BrowserTokens } from "../auth/browser-tokens.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import { createApp } from "../http/app.ts";
import { RequestScope } from "../http/env.ts";
import { LockOut } from "../limit/lock-out.ts";
import { MemoryFailureStore } from "../limit/memory-failure-store.ts";
import { floodGuarded } from "../log/flood-guard.ts";
import type { Log } from "../log/log.ts";
import { countedLog } from "../metrics/counted-log.ts";
import { vaultSize } from "../vault/size.ts";
import { lockFolder } from "./folder-lock.ts";
import { GatewayMetrics } from "./gateway-metrics.ts";
import { keepApart } from "./keep-apart.ts";
import { listen } from "./listen.ts";
import { changedTokens, failureLimits, httpSettings, needRestart } from "./live-settings.ts";
import { openVault } from "./open-vault.ts";
import { findRipgrep } from "./ripgrep.ts";
import { sessionParts } from "./session-parts.ts";
import { stateFolder } from "./state-folder.ts";
import { watchVault } from "./vault-watch.ts";
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

/** Time for an agent to end its tools, ms: the rest of the ten seconds is for closing and the sweep behind it. */
const AGENT_GRACE_MS = 7000;

/**
 * Puts the parts together and listens.
 *
 * @throws {Exit} in one line, if another Nest has the sessions, or the vault, the agent or the address can't be used
 */
export function startGateway({ config, clock, env, demo, ...rest }: GatewayOptions): Gateway {
  const metrics = new GatewayMetrics(clock);
  const guarded = floodGuarded(rest.log, () => clock.monotonicMs());
  // Counted are all, told or not.
  const log = countedLog(guarded, (event) => metrics.countEvent(event));
  keepApart(config);
  // Before anything of it is touched: what is left over is only known to be that while no other Nest runs.
  const release = lockFolder(stateFolder(config.file), log);
  const vault = openVault(config.vault.path, clock, log);
  const { sessions, models } = sessionParts({ config, clock, log, env, demo, vault });

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
      lockOut[Symbol.dispose]();
      await server.stop(true);
      await closed;
      await Promise.all([watch[Symbol.asyncDispose](), search[Symbol.asyncDispose]()]);
      vault.close();
      release();
    },
  };
}

function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
