import type { Authenticator } from "../../auth/authenticator.ts";
import type { BrowserTokens } from "../../auth/browser-tokens.ts";
import type { Principal } from "../../auth/principal.ts";
import type { Log } from "../../log/log.ts";
import { readJson } from "../body.ts";
import type { Clock } from "../../clock.ts";
import type { Methods } from "../authorize.ts";
import type { RequestScope } from "../env.ts";
import { headersFor, json } from "../headers.ts";
import { renewed } from "../middleware/authenticate.ts";
import { problem } from "../problem.ts";

export interface BrowsersOptions {
  readonly browsers: Pick<BrowserTokens, "issue" | "list" | "revoke">;
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly log: Log;
}

/** Bytes of a request for a token, and characters of a device's name. */
const MAX_BODY_BYTES = 4096;
const MAX_NAME_LENGTH = 80;

/**
 * `GET /api/browsers`: the browsers that are signed in, `own` being the one that asks.
 * `POST`: exchanges the bearer token for one of the browser's own, with the same rights at most.
 */
export function browsers(options: BrowsersOptions): Methods {
  return {
    GET: ({ env }) => {
      const asker = env.principal as Principal;
      return json(env, {
        browsers: options.browsers.list(asker).map(({ id, name, createdMs, expiresMs }) => ({
          id,
          name,
          created: new Date(createdMs).toISOString(),
          expires: new Date(expiresMs).toISOString(),
          own: asker.browser?.id === id,
        })),
      });
    },
    POST: ({ env }) => exchange(env, options),
  };
}

async function exchange(
  scope: RequestScope,
  { browsers: tokens, authenticator, clock, log }: BrowsersOptions,
): Promise<Response> {
  const asker = scope.principal as Principal;
  const address = scope.client.key;
  // One that was stolen must not be able to outlive itself.
  if (asker.browser !== undefined) {
    return problem(scope, "browser_token", "A browser's token can't be exchanged for another");
  }
  const body = await readJson(scope, { maxBytes: MAX_BODY_BYTES, clock });
  const { name = "browser", keep = false } = (body ?? {}) as Record<string, unknown>;
  if (typeof name !== "string" || typeof keep !== "boolean") {
    return problem(scope, "bad_request", "Expected name to be text and keep to be true or false");
  }
  // Not of one that ended while the body came: it would come to life with a token that is put back.
  const issued = tokens.issue(renewed(scope, authenticator), plain(name), keep);
  log.audit("browser_added", { token: asker.name, browser: issued.id, address, request: scope.id });
  return json(
    scope,
    {
      id: issued.id,
      token: issued.token,
      expires: new Date(issued.expiresMs).toISOString(),
    },
    201,
  );
}

/** `DELETE /api/browsers/{id}`: ends its token and closes its sockets at once. */
export function browser({ browsers: tokens, log }: BrowsersOptions): Methods {
  return {
    DELETE: (c) => {
      const scope = c.env;
      const asker = scope.principal as Principal;
      const id = c.req.param("id") ?? "";
      if (!tokens.revoke(asker, id)) return problem(scope, "not_found");
      const address = scope.client.key;
      log.audit("browser_revoked", { token: asker.name, browser: id, address, request: scope.id });
      return new Response(null, { status: 204, headers: headersFor(scope, "text/plain") });
    },
  };
}

/** A name of one line: control characters, and those that turn the direction of text, are left out. */
function plain(name: string): string {
  const line = name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "").trim();
  return line.slice(0, MAX_NAME_LENGTH) || "browser";
}
