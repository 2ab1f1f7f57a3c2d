/** A token: `nest_` and 256 random bits as base64url (RFC 4648 section 5), 48 characters in all. */
export function newToken(): string {
  return `nest_${crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true })}`;
}
