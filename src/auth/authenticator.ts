import { timingSafeEqual } from "node:crypto";
import type { Principal } from "./principal.ts";

/**
 * `Authorization: Bearer <token>`, RFC 6750 section 2.1: the scheme in any case, one space, the token, nothing else.
 * Two headers arrive joined with `", "` and so never match.
 */
const BEARER = /^bearer ([\x21-\x7e]{1,512})$/i;

/** The token of an `Authorization` header; `undefined` if it is not exactly `Bearer <token>`. */
export function bearerToken(header: string): string | undefined {
  return BEARER.exec(header)?.[1];
}

/** Characters compared on the way that skips hashing; longer headers are hashed each time. */
const REMEMBERED_LENGTH = 128;

/**
 * Tells whose token it is, in constant time, synchronously (an `await` here would let another request's check slip in
 * between, and makes Bun answer 400 to an upgrade whose first frame came with it).
 *
 * Tokens are compared as SHA-256 digests, with every known digest, so that neither the content nor the place of the
 * right one shows in the time. The header accepted last is kept and compared first, byte by byte without an early
 * exit: a client that stays costs no hash. It holds nothing that the process's memory does not hold anyway.
 */
export class Authenticator {
  #principals: readonly Principal[] = [];
  readonly #remembered = new Uint8Array(REMEMBERED_LENGTH);
  #rememberedLength = -1;
  #rememberedPrincipal: Principal | undefined;
  readonly #wallMs: () => number;

  constructor(principals: readonly Principal[], wallMs: () => number) {
    this.#principals = principals;
    this.#wallMs = wallMs;
  }

  /** Whose `Authorization` header it is; `undefined` if malformed, unknown or expired. */
  authenticateHeader(header: string): Principal | undefined {
    if (this.#isRemembered(header)) return unexpired(this.#rememberedPrincipal, this.#wallMs);
    const token = bearerToken(header);
    const principal = token === undefined ? undefined : this.authenticateToken(token);
    if (principal !== undefined) this.#remember(header, principal);
    return principal;
  }

  /** Whose token it is; `undefined` if unknown or expired. */
  authenticateToken(token: string): Principal | undefined {
    const digest = digestOf(token);
    let found: Principal | undefined;
    for (const principal of this.#principals) {
      if (timingSafeEqual(digest, principal.digest)) found = principal;
    }
    return unexpired(found, this.#wallMs);
  }

  /** The principal that `old` has become since, or `undefined` if its token is no longer good. */
  renew(old: Principal): Principal | undefined {
    const same = this.#principals.find((principal) =>
      timingSafeEqual(principal.digest, old.digest),
    );
    return unexpired(same, this.#wallMs);
  }

  /** Other tokens from now on. */
  setPrincipals(principals: readonly Principal[]): void {
    this.#principals = principals;
    this.#rememberedPrincipal = undefined;
    this.#rememberedLength = -1;
    this.#remembered.fill(0);
  }

  /** Time depends on the length of `header` alone. */
  #isRemembered(header: string): boolean {
    if (header.length > REMEMBERED_LENGTH) return false;
    let difference = header.length ^ this.#rememberedLength;
    for (let i = 0; i < header.length; i++) {
      difference |= header.charCodeAt(i) ^ (this.#remembered[i] as number);
    }
    return difference === 0;
  }

  #remember(header: string, principal: Principal): void {
    if (header.length > REMEMBERED_LENGTH) return;
    for (let i = 0; i < header.length; i++) this.#remembered[i] = header.charCodeAt(i);
    this.#remembered.fill(0, header.length);
    this.#rememberedLength = header.length;
    this.#rememberedPrincipal = principal;
  }
}

/** SHA-256 of a token's UTF-8 bytes, 32 bytes. */
export function digestOf(token: string): Uint8Array {
  return new Bun.CryptoHasher("sha256").update(token).digest();
}

function unexpired(principal: Principal | undefined, wallMs: () => number): Principal | undefined {
  if (principal?.expiresMs === undefined) return principal;
  return wallMs() < principal.expiresMs ? principal : undefined;
}
