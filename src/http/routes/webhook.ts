import { WaitingRoom } from "../../attach/waiting-room.ts";
import type { Authenticator } from "../../auth/authenticator.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Clock } from "../../clock.ts";
import type { Log } from "../../log/log.ts";
import type { Tally } from "../../metrics/tally.ts";
import { parsePayload, PayloadError } from "../../webhook/payload.ts";
import { QUOTA_WINDOW_MS, type QuotaState } from "../../webhook/quota.ts";
import { SOURCE_NAME } from "../../webhook/source-name.ts";
import type { Incoming, Webhooks } from "../../webhook/webhooks.ts";
import { mediaType } from "../body.ts";
import type { NestContext, RequestScope, Step } from "../env.ts";
import { headersFor } from "../headers.ts";
import { readHurried } from "../hurried-body.ts";
import { type RefuseCredentials, renewed } from "../middleware/authenticate.ts";
import { problem, Refusal } from "../problem.ts";

export const WEBHOOK_OUTCOMES = [
  "accepted",
  "replayed",
  "unauthorized",
  "invalid",
  "limited",
  "full",
  "unavailable",
] as const;

export type WebhookOutcome = (typeof WEBHOOK_OUTCOMES)[number];

export interface WebhookRouteParts {
  readonly webhooks: Webhooks;
  readonly authenticator: Authenticator;
  /** The pipeline's step, to be taken again behind an `await`. */
  readonly lockedOut: Step;
  readonly refuse: RefuseCredentials;
  readonly clock: Clock;
  readonly log: Log;
  readonly outcomes: Tally<WebhookOutcome>;
}

/** Contract section 4: 256 KiB; and the time they may take, ms. */
const BODY_LIMITS = { maxBytes: 256 * 1024, deadlineMs: 10_000 };
/** Bodies being read at the same time, from one address and in all: 16 MiB at most. */
const ROOM = { maxPerAddress: 16, maxInAll: 64 };

/** What both webhook routes do once the sender is known to be good and the body is there. Synchronous. */
export class WebhookDoor {
  readonly parts: WebhookRouteParts;
  readonly #room = new WaitingRoom(ROOM);

  constructor(parts: WebhookRouteParts) {
    this.parts = parts;
  }

  /** @throws {Refusal} */
  async read(scope: RequestScope): Promise<Uint8Array> {
    try {
      const { clock } = this.parts;
      return await readHurried(scope, { ...BODY_LIMITS, clock, room: this.#room });
    } catch (error) {
      this.parts.outcomes.count("invalid");
      throw error;
    }
  }

  /**
   * @param describe - reads the payload; may throw a {@link Refusal} or a `PayloadError`
   * @throws {Refusal}
   */
  take(scope: RequestScope, describe: () => Incoming): Response {
    let webhook: Incoming;
    try {
      webhook = describe();
    } catch (error) {
      this.parts.outcomes.count("invalid");
      throw error instanceof PayloadError ? new Refusal("bad_json", error.message) : error;
    }
    return this.#answer(scope, webhook);
  }

  #answer(scope: RequestScope, webhook: Incoming): Response {
    const { webhooks, log, outcomes } = this.parts;
    const outcome = webhooks.accept(webhook);
    const { kind } = outcome;
    const limits = rateLimitHeaders(webhooks.quotas(webhook));
    const refused = kind === "key_reused" || kind === "no_session";
    outcomes.count(refused ? "invalid" : kind);
    log.audit("webhook", {
      outcome: kind,
      source: webhook.source,
      token: webhook.token,
      address: scope.client.key,
      session: webhook.session,
      ...("id" in outcome && { id: outcome.id }),
      length: webhook.body.length,
      request: scope.id,
    });
    switch (kind) {
      case "accepted":
      case "replayed": {
        const { id, session } = outcome;
        return new Response(JSON.stringify({ id, session }), {
          status: 202,
          headers: headersFor(scope, "application/json", limits),
        });
      }
      case "key_reused":
        return problem(scope, "idempotency_key_reused", KEY_REUSED);
      case "no_session":
        return problem(scope, "session_not_found", "No session has this name");
      case "limited": {
        log.security("webhook_limited", {
          address: scope.client.key,
          route: scope.route,
          reason: "too many accepted in a minute",
          source: webhook.source,
          token: webhook.token,
          request: scope.id,
        });
        const seconds = outcome.retrySeconds;
        return problem(scope, "webhook_limited", `Try again in ${seconds} s`, {
          ...limits,
          "Retry-After": String(seconds),
        });
      }
      case "full":
      case "unavailable": {
        const code = kind === "full" ? "inbox_full" : "unavailable";
        const retry = { ...limits, "Retry-After": String(outcome.retrySeconds) };
        return problem(scope, code, WAIT[kind], retry);
      }
      default:
        return kind satisfies never;
    }
  }
}

const KEY_REUSED = "This key came with another body within the last 24 hours";
const WAIT = {
  full: "Too many webhooks wait for the session",
  unavailable: "The webhook could not be written down",
};

/** `RateLimit` and `RateLimit-Policy`, draft-ietf-httpapi-ratelimit-headers-10. */
function rateLimitHeaders(quotas: readonly QuotaState[]): Record<string, string> {
  const windowSeconds = QUOTA_WINDOW_MS / 1000;
  return {
    "RateLimit-Policy": quotas
      .map(({ name, limit }) => `"${name}";q=${limit};w=${windowSeconds}`)
      .join(", "),
    RateLimit: quotas
      .map(({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`)
      .join(", "),
  };
}

const KEY = /^[\x21-\x7e]{1,256}$/;
const SHAPE =
  'Expected {"message": "…"}, and "source" (a to z, 0 to 9, _ and -, at most 64) and "session" if they are not "default"';

/** `POST /api/webhook` `{message, source?, session?}`, for a token with the scope `webhook`. */
export function webhookRoute(door: WebhookDoor) {
  return async function webhook(c: NestContext): Promise<Response> {
    const scope = c.env;
    const principal = scope.principal as Principal;
    // Before the first await: nobody knows the address of a client that has gone.
    void scope.client;
    const body = await door.read(scope);
    // Revoked, expired or given other scopes while the body was on its way.
    if (!renewed(scope, door.parts.authenticator).scopes.has("webhook"))
      throw new Refusal("insufficient_scope", "The token lost its scope meanwhile");
    return door.take(scope, () => {
      if (mediaType(scope) !== "application/json")
        throw new Refusal("unsupported_media_type", "Expected Content-Type: application/json");
      const { message, source, session } = messageOf(parsePayload(body));
      const token = principal.name;
      return { source, token, session, keys: keysOf(scope), body, text: message };
    });
  };
}

interface Message {
  readonly message: string;
  readonly source: string;
  readonly session: string;
}

function messageOf(payload: unknown): Message {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload))
    throw new Refusal("bad_request", SHAPE);
  // Own keys only, so nothing comes from a prototype.
  const fields = new Map(Object.entries(payload));
  const { size } = fields;
  const [message, source, session] = ["message", "source", "session"].map((n) => fields.get(n));
  const known = ["message", "source", "session"].filter((name) => fields.has(name)).length;
  if (
    size !== known ||
    typeof message !== "string" ||
    message.trim() === "" ||
    (source !== undefined && (typeof source !== "string" || !SOURCE_NAME.test(source))) ||
    (session !== undefined && typeof session !== "string")
  ) {
    throw new Refusal("bad_request", SHAPE);
  }
  return {
    message,
    source: (source as string | undefined) ?? "default",
    session: (session as string | undefined) ?? "default",
  };
}

/**
 * `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07), or `webhook-id` of Standard Webhooks.
 *
 * @throws {Refusal}
 */
export function keysOf(scope: RequestScope): string[] {
  const key = scope.header("idempotency-key") ?? scope.header("webhook-id");
  if (key === null) return [];
  if (!KEY.test(key))
    throw new Refusal(
      "bad_request",
      "Expected an Idempotency-Key of 1 to 256 printable ASCII characters without spaces",
    );
  return [`key ${key}`];
}
