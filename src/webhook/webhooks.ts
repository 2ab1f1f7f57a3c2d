import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import { Inbox, type Receiver } from "./inbox.ts";
import type { Ledger } from "./ledger.ts";
import { fenced } from "./message.ts";
import { type QuotaLimits, type QuotaState, WebhookQuota } from "./quota.ts";
import type { Credential } from "./signatures.ts";
import type { Template } from "./template.ts";

/** A configured source. */
export type Source = Credential & {
  readonly session: string;
  readonly template?: Template;
};

/** What a reload exchanges. */
export interface WebhookSettings {
  readonly limits: QuotaLimits;
  readonly sources: ReadonlyMap<string, Source>;
}

/** A webhook whose sender and payload are good. */
export interface Incoming {
  readonly source: string;
  /** The token that it came with; absent for a configured source with its own secret. */
  readonly token?: string;
  readonly session: string;
  /** What marks a repetition, each enough by itself; none = every request is one of its own. */
  readonly keys: readonly string[];
  /** The bytes that came. */
  readonly body: Uint8Array;
  /** What the agent is to read, not yet fenced. */
  readonly text: string;
}

export type Outcome =
  | { readonly kind: "accepted" | "replayed"; readonly id: string; readonly session: string }
  | { readonly kind: "key_reused" | "no_session" }
  /** `unavailable`: it could not be written down, so nothing is promised. */
  | { readonly kind: "limited" | "full" | "unavailable"; readonly retrySeconds: number };

export interface WebhookParts {
  readonly ledger: Ledger;
  readonly hasSession: (name: string) => boolean;
  /** `undefined` while Nest stops. */
  readonly receiver: (session: string) => Receiver | undefined;
  readonly clock: Clock;
  readonly log: Log;
}

/** What a sender is told to wait when the session's inbox is full, seconds. */
const FULL_RETRY_SECONDS = 30;

/**
 * Takes webhooks in: repetitions, quotas, the inbox of each session. Everything up to the answer happens in one turn,
 * so of twins that arrive together one runs and the other is told the same.
 */
export class Webhooks implements Disposable {
  readonly #parts: WebhookParts;
  readonly #quota: WebhookQuota;
  readonly #inboxes = new Map<string, Inbox>();
  #sources: WebhookSettings["sources"];

  constructor({ limits, sources }: WebhookSettings, parts: WebhookParts) {
    this.#parts = parts;
    this.#quota = new WebhookQuota(limits);
    this.#sources = sources;
    for (const { session, ...waiting } of parts.ledger.undelivered()) {
      const inbox = parts.hasSession(session) ? this.#inbox(session) : undefined;
      if (inbox?.hasRoom(waiting.message.length) === true) inbox.push(waiting);
      else {
        const { id, source } = waiting;
        const reason =
          inbox === undefined ? "its session is not there any more" : "too many of them wait";
        parts.log.error("webhook_lost", { session, source, id, reason });
        this.#settle(id);
      }
    }
  }

  source(name: string): Source | undefined {
    return this.#sources.get(name);
  }

  /** Messages that wait, in all sessions. */
  get waiting(): number {
    return this.#inboxes.values().reduce((sum, { size }) => sum + size, 0);
  }

  reconfigure({ limits, sources }: WebhookSettings): void {
    this.#quota.setLimits(limits);
    this.#sources = sources;
  }

  /** In this order: repetition, its body, session, quota, room. Only what is accepted counts. Synchronous. */
  accept(webhook: Incoming): Outcome {
    const { ledger, clock, hasSession } = this.#parts;
    const { source, token, session, body } = webhook;
    const wallMs = clock.wallMs();
    const bodyDigest = digest(body);
    const keys = webhook.keys.map((key) => digest(scoped(webhook, key)));
    const first = this.#repetition(source, keys, bodyDigest, wallMs);
    if (first !== undefined) return first;
    if (!hasSession(session)) return { kind: "no_session" };
    const nowMs = clock.monotonicMs();
    const waitMs = this.#quota.waitMs(quotaName(webhook), nowMs);
    if (waitMs > 0) return { kind: "limited", retrySeconds: Math.ceil(waitMs / 1000) };
    const id = `wh_${crypto.randomUUID()}`;
    const message = fenced(webhook.text, {
      source,
      id,
      receivedMs: wallMs,
      ...(token !== undefined && { token }),
    });
    const inbox = this.#inbox(session);
    if (!inbox.hasRoom(message.length)) return { kind: "full", retrySeconds: FULL_RETRY_SECONDS };
    const written = { id, session, source, message };
    try {
      ledger.add(keys.length > 0 ? keys : [digest(id)], bodyDigest, written, wallMs);
    } catch (error) {
      return this.#unavailable(source, error);
    }
    this.#quota.count(quotaName(webhook), nowMs);
    inbox.push({ id, source, message });
    return { kind: "accepted", id, session };
  }

  /** Both quotas as they stand for the sender of `webhook`. */
  quotas(webhook: Pick<Incoming, "source" | "token">): readonly QuotaState[] {
    return this.#quota.states(quotaName(webhook), this.#parts.clock.monotonicMs());
  }

  [Symbol.dispose](): void {
    for (const inbox of this.#inboxes.values()) inbox[Symbol.dispose]();
    this.#parts.ledger[Symbol.dispose]();
  }

  #repetition(
    source: string,
    keys: readonly Uint8Array[],
    body: Uint8Array,
    wallMs: number,
  ): Outcome | undefined {
    try {
      for (const key of keys) {
        const first = this.#parts.ledger.find(key, body, wallMs);
        if (first === undefined) continue;
        const { id, session, isSameBody } = first;
        return isSameBody ? { kind: "replayed", id, session } : { kind: "key_reused" };
      }
    } catch (error) {
      return this.#unavailable(source, error);
    }
    return undefined;
  }

  #unavailable(source: string, error: unknown): Outcome {
    const { message } = error as Error;
    this.#parts.log.error("webhook_not_written", { source, reason: message });
    return { kind: "unavailable", retrySeconds: FULL_RETRY_SECONDS };
  }

  #inbox(session: string): Inbox {
    let inbox = this.#inboxes.get(session);
    if (inbox === undefined) {
      const { receiver, clock, log } = this.#parts;
      inbox = new Inbox({
        session,
        receiver: () => receiver(session),
        clock,
        log,
        settled: (id) => this.#settle(id),
      });
      this.#inboxes.set(session, inbox);
    }
    return inbox;
  }

  /** A text that can't be taken off the disk is at worst delivered again after a restart. */
  #settle(id: string): void {
    try {
      this.#parts.ledger.settle(id);
    } catch (error) {
      this.#parts.log.error("webhook_not_settled", { id, reason: (error as Error).message });
    }
  }
}

/** A token that calls itself "github" takes nothing from the configured source of that name. */
function quotaName({ source, token }: Pick<Incoming, "source" | "token">): string {
  return token === undefined ? `source ${source}` : `token ${source}`;
}

/** Keys of one sender mean nothing to another. JSON, so that no name can run into the next. */
function scoped({ source, token }: Incoming, key: string): string {
  return JSON.stringify([source, token ?? null, key]);
}

function digest(value: string | Uint8Array): Uint8Array {
  return new Bun.CryptoHasher("sha256").update(value).digest();
}
