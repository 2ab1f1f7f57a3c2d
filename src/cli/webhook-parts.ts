import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Session } from "../agent/session.ts";
import { type Sessions, SessionUnavailable } from "../agent/sessions.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../log/log.ts";
import type { Receiver } from "../webhook/inbox.ts";
import { Ledger } from "../webhook/ledger.ts";
import { type Credential, standardKey } from "../webhook/signatures.ts";
import { parseTemplate } from "../webhook/template.ts";
import { Webhooks, type WebhookSettings } from "../webhook/webhooks.ts";
import { stateFolder } from "./state-folder.ts";

/** The webhooks of a gateway, with what they remember. */
export function startWebhooks(
  config: Config,
  sessions: Pick<Sessions, "get" | "has">,
  clock: Clock,
  log: Log,
): Webhooks {
  return new Webhooks(webhookSettings(config), {
    ledger: openLedger(join(stateFolder(config.file), "webhooks.sqlite"), log),
    hasSession: (name) => sessions.has(name),
    receiver: (name) => receiverOf(sessions, name),
    clock,
    log,
  });
}

/** A session as the inbox sees it: what is handed over is on disk at once, and runs once. */
function receiverOf(sessions: Pick<Sessions, "get" | "has">, name: string): Receiver | undefined {
  const session = usable(sessions, name);
  if (session === undefined) return undefined;
  return {
    get isFree() {
      return session.isFree;
    },
    subscribe: (follower) => session.subscribe(follower),
    offer({ id, source, message }) {
      const content = { type: "prompt", fields: { message }, source } as const;
      // No client can send a key with a space, so this one is ours.
      return !("success" in session.enqueue(content, `webhook ${id}`));
    },
  };
}

/** Not one that is being ended, nor one whose folder can't be used now, which is logged where it is found out. */
function usable(sessions: Pick<Sessions, "get" | "has">, name: string): Session | undefined {
  if (!sessions.has(name)) return undefined;
  try {
    return sessions.get(name);
  } catch (error) {
    if (error instanceof SessionUnavailable) return undefined;
    throw error;
  }
}

/** Without a place to write to they work all the same, but forget with the process: said once, at the start. */
function openLedger(path: string, log: Log): Ledger {
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    return new Ledger(path);
  } catch (error) {
    log.error("webhooks_not_kept", {
      file: path,
      reason: (error as Error).message,
      effect: "accepted webhooks and their keys are forgotten at the next start",
    });
    return new Ledger(":memory:");
  }
}

/** What a reload exchanges. The config has been checked: secrets and templates are good. */
export function webhookSettings({ webhooks }: Config): WebhookSettings {
  const sources = [...webhooks.sources].map(([name, source]) => {
    const { session, template } = source;
    const credential = credentialOf(source);
    const rest =
      template === undefined ? { session } : { session, template: parseTemplate(template) };
    return [name, { ...credential, ...rest }] as const;
  });
  return {
    limits: { perSource: webhooks.perSource, global: webhooks.global },
    sources: new Map(sources),
  };
}

function credentialOf(
  source: Config["webhooks"]["sources"] extends ReadonlyMap<string, infer Source> ? Source : never,
): Credential {
  switch (source.verify) {
    case "bearer":
      return { verify: source.verify, digest: source.digest };
    case "github":
      return { verify: source.verify, key: new TextEncoder().encode(source.secret) };
    case "standard":
      return { verify: source.verify, key: standardKey(source.secret) as Uint8Array };
    default:
      return source satisfies never;
  }
}
