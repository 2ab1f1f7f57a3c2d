/** What a token may do; the whole list is the owner's. */
export const SCOPES = [
  "attach",
  "prompt",
  "vault:read",
  "vault:write",
  "webhook",
  "admin",
] as const;

export type Scope = (typeof SCOPES)[number];

/** Who stands behind a token. */
export interface Principal {
  /** `owner`, or the token's name in `server.tokens`: what logs show. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Milliseconds since the Unix epoch from which the token is refused; absent = never. */
  readonly expiresMs?: number;
  /** SHA-256 of the token: what makes two principals of two configurations the same one. */
  readonly digest: Uint8Array;
  /** Set for a browser's token: its id, and the digest (hex) of the configured token it was exchanged for. */
  readonly browser?: { readonly id: string; readonly parent: string };
}

/** The name under which `server.token` acts. */
export const OWNER = "owner";
