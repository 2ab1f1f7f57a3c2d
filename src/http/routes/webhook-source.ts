import { decodeText, parsePayload } from "../../webhook/payload.ts";
import { shortened } from "../../webhook/plain-text.ts";
import { type Credential, isSigned, type Verdict, verify } from "../../webhook/signatures.ts";
import { render } from "../../webhook/template.ts";
import type { Incoming, Source } from "../../webhook/webhooks.ts";
import { isJsonType, mediaType } from "../body.ts";
import type { NestContext, RequestScope } from "../env.ts";
import { isCrossSite } from "../middleware/authenticate.ts";
import { Refusal } from "../problem.ts";
import { keysOf, type WebhookDoor } from "./webhook.ts";

/** Longest payload that reaches the agent without a template, UTF-16 code units. */
const MAX_TEXT_LENGTH = 32_000;

const EMPTY = new Uint8Array();

/** Nobody's secret: a source that is not there is refused by the same steps as one that is. */
const NOBODY: Credential = {
  verify: "github",
  key: crypto.getRandomValues(new Uint8Array(32)),
};

/**
 * `POST /api/webhook/{source}`: a configured source, by its own secret; a token of Nest's is none.
 *
 * A signature is over the body, so the body is read before the sender is known. What the pipeline decided is therefore
 * decided again behind it: whether the address is locked out, the comparison and the count happen in one turn, so of 50
 * forged deliveries at once no more are compared than of 50 wrong tokens.
 */
export function webhookSourceRoute(door: WebhookDoor) {
  const { webhooks, lockedOut, refuse, clock, outcomes } = door.parts;
  return async function deliver(c: NestContext): Promise<Response> {
    const scope = c.env;
    // Before the first await: nobody knows the address of a client that has gone.
    void scope.client;
    const name = c.req.param("source") ?? "";
    // Without a signature the header decides, and nothing is read for who has no credential. Which of the two it is
    // depends on the request alone, so that nothing is told about the source.
    if (!isSigned(scope.request.headers)) {
      const refusal = check(scope, name, EMPTY);
      if (refusal instanceof Response) return refusal;
    }
    const body = await door.read(scope);
    const locked = lockedOut(scope);
    if (locked !== undefined) return locked;
    // Again, if it was bearer: a reload may have come in between.
    const checked = check(scope, name, body);
    if (checked instanceof Response) return checked;
    const { source, verdict } = checked;
    return door.take(scope, () => incoming(scope, name, source, verdict, body));
  };

  function check(
    scope: RequestScope,
    name: string,
    body: Uint8Array,
  ): Response | { source: Source; verdict: Verdict & { ok: true } } {
    const source = webhooks.source(name);
    const proof = { headers: scope.request.headers, body, nowMs: clock.wallMs() };
    const verdict = verify(source ?? NOBODY, proof);
    if (verdict.ok && source !== undefined) return { source, verdict };
    outcomes.count("unauthorized");
    const reason = verdict.ok ? "wrong_credentials" : verdict.reason;
    const hasAny = isSigned(proof.headers) || scope.header("authorization") !== null;
    return refuse(scope, reason, hasAny || !isCrossSite(scope), DETAIL);
  }
}

const DETAIL = "Expected the credential of a configured source: its signature or its bearer secret";

function incoming(
  scope: RequestScope,
  name: string,
  source: Source,
  { id }: Verdict & { ok: true },
  body: Uint8Array,
): Incoming {
  return {
    source: name,
    session: source.session,
    keys: repetitionKeys(scope, source, id, body),
    body,
    text: textOf(scope, source, body),
  };
}

/**
 * What marks a repetition.
 *
 * - `standard`: the id, which is signed.
 * - `github`: the delivery's id, and the signed bytes themselves: the id is not signed, so whoever has recorded a
 *   delivery could send it again under another. GitHub's own payloads differ from each other.
 * - `bearer`: what the sender says, if it says anything.
 */
function repetitionKeys(
  scope: RequestScope,
  source: Source,
  id: string | undefined,
  body: Uint8Array,
): string[] {
  switch (source.verify) {
    case "standard":
      return [`key ${id}`];
    case "github": {
      const bytes = `bytes ${new Bun.CryptoHasher("sha256").update(body).digest("hex")}`;
      return id === undefined ? [bytes] : [`key ${id}`, bytes];
    }
    case "bearer":
      return keysOf(scope);
    default:
      return source satisfies never;
  }
}

function textOf(scope: RequestScope, { template }: Source, body: Uint8Array): string {
  const type = mediaType(scope);
  const isJson = isJsonType(type);
  if (!isJson && (template !== undefined || type !== "text/plain")) {
    const expected = template === undefined ? "application/json or text/plain" : "application/json";
    throw new Refusal("unsupported_media_type", `Expected Content-Type: ${expected}`);
  }
  if (!isJson) return nonEmpty(shortened(decodeText(body), MAX_TEXT_LENGTH));
  const payload = parsePayload(body);
  // Without a template the payload as it came, now that it is known to be JSON.
  return template === undefined
    ? shortened(decodeText(body), MAX_TEXT_LENGTH)
    : render(template, payload);
}

function nonEmpty(text: string): string {
  if (text.trim() === "") throw new Refusal("bad_request", "Expected some text");
  return text;
}
