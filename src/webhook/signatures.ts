import { timingSafeEqual } from "node:crypto";
import { bearerToken, digestOf } from "../auth/authenticator.ts";

/** How one source proves itself. */
export type Credential =
  | { readonly verify: "bearer"; readonly digest: Uint8Array }
  | { readonly verify: "github" | "standard"; readonly key: Uint8Array };

/** What a request brings along to be verified. */
export interface Proof {
  readonly headers: Pick<Headers, "get">;
  /** The very bytes that came: a payload parsed and written anew has another signature. */
  readonly body: Uint8Array;
  /** Milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

/** `id` is the delivery's own: covered by the signature with `standard`, merely told with `github`. */
export type Verdict =
  { readonly ok: true; readonly id?: string } | { readonly ok: false; readonly reason: Refused };

/** For the log only: the client is told nothing but 401. */
export type Refused = "missing_credentials" | "wrong_credentials" | "stale_timestamp";

/** Standard Webhooks: a timestamp may be this far from our clock, either way, ms. */
const TOLERANCE_MS = 5 * 60 * 1000;
/** Signatures that are looked at: a rotation needs two. */
const MAX_SIGNATURES = 16;

const GITHUB = /^sha256=([0-9a-f]{64})$/;
/**
 * No full stop: it delimits the signed content, and an id that holds one would let `id.timestamp` of one delivery be
 * read as the id of another.
 */
const ID = /^[\x21-\x2d\x2f-\x7e]{1,256}$/;
const SECONDS = /^\d{1,12}$/;
const V1 = /^v1,([A-Za-z0-9+/]{43}=)$/;

/** True if there is a signature, so that only the body can tell whether it is right. */
export function isSigned(headers: Pick<Headers, "get">): boolean {
  return headers.get("x-hub-signature-256") !== null || headers.get("webhook-signature") !== null;
}

/**
 * Tells whether a delivery comes from who knows the source's secret. Constant time, synchronous.
 *
 * - `github`: `X-Hub-Signature-256: sha256=HEX`, HMAC of the body. The id is `X-GitHub-Delivery`.
 * - `standard`: Standard Webhooks 1.0, HMAC of `id.timestamp.body`; one of several signatures is enough.
 * - `bearer`: `Authorization: Bearer SECRET`, compared by digest.
 */
export function verify(credential: Credential, proof: Proof): Verdict {
  switch (credential.verify) {
    case "bearer":
      return verifyBearer(credential.digest, proof);
    case "github":
      return verifyGithub(credential.key, proof);
    case "standard":
      return verifyStandard(credential.key, proof);
    default:
      return credential satisfies never;
  }
}

function verifyBearer(digest: Uint8Array, { headers }: Proof): Verdict {
  const header = headers.get("authorization");
  if (header === null) return refused("missing_credentials");
  const token = bearerToken(header);
  if (token === undefined || !timingSafeEqual(digestOf(token), digest))
    return refused("wrong_credentials");
  return { ok: true };
}

function verifyGithub(key: Uint8Array, { headers, body }: Proof): Verdict {
  const header = headers.get("x-hub-signature-256");
  if (header === null) return refused("missing_credentials");
  const claimed = GITHUB.exec(header)?.[1];
  if (claimed === undefined || !timingSafeEqual(Uint8Array.fromHex(claimed), hmac(key, body)))
    return refused("wrong_credentials");
  const id = headers.get("x-github-delivery");
  return id === null ? { ok: true } : { ok: true, id };
}

function verifyStandard(key: Uint8Array, { headers, body, nowMs }: Proof): Verdict {
  const id = headers.get("webhook-id");
  const seconds = headers.get("webhook-timestamp");
  const signatures = headers.get("webhook-signature");
  if (id === null || seconds === null || signatures === null) return refused("missing_credentials");
  if (!ID.test(id) || !SECONDS.test(seconds)) return refused("wrong_credentials");
  // As text: the last character of base64 has bits that decoding drops, and so four signatures would be right.
  const expected = Buffer.from(hmac(key, `${id}.${seconds}.`, body).toBase64());
  let isRight = false;
  for (const signature of signatures.split(" ", MAX_SIGNATURES)) {
    const claimed = V1.exec(signature)?.[1];
    if (claimed !== undefined && timingSafeEqual(Buffer.from(claimed), expected)) isRight = true;
  }
  if (!isRight) return refused("wrong_credentials");
  // After the signature, so that a stranger learns nothing of our clock.
  if (Math.abs(nowMs - Number(seconds) * 1000) > TOLERANCE_MS) return refused("stale_timestamp");
  return { ok: true, id };
}

function hmac(key: Uint8Array, ...parts: readonly (string | Uint8Array)[]): Uint8Array {
  const hasher = new Bun.CryptoHasher("sha256", key);
  for (const part of parts) hasher.update(part);
  return hasher.digest();
}

function refused(reason: Refused): Verdict {
  return { ok: false, reason };
}

/** Fewest and most bytes of a Standard Webhooks secret; the specification says 24 to 64. */
const MIN_KEY_BYTES = 16;
const MAX_KEY_BYTES = 128;

/**
 * The key of a Standard Webhooks secret: base64, with `whsec_` in front or without.
 *
 * @returns `undefined` if it is none
 */
export function standardKey(secret: string): Uint8Array | undefined {
  const text = secret.startsWith("whsec_") ? secret.slice("whsec_".length) : secret;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const key = Buffer.from(text, "base64");
  return key.length < MIN_KEY_BYTES || key.length > MAX_KEY_BYTES ? undefined : new Uint8Array(key);
}
