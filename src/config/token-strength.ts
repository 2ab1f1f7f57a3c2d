/** The token that `config.example.yaml` carries. */
export const PLACEHOLDER_TOKEN = "replace-me-with-what-nest-token-prints";

/** What people type to get past a required field (CVE-2026-22812 is what follows). */
const PLACEHOLDERS = new Set([
  PLACEHOLDER_TOKEN,
  "changeme",
  "change-me",
  "null",
  "none",
  "undefined",
  "password",
  "secret",
  "token",
  "your-token",
]);

/** Shortest token away from loopback, characters. */
const LEAST_LENGTH = 16;
/** Under this a warning, characters; `nest token` prints 48. */
const GOOD_LENGTH = 32;
/** At ten guesses a minute, the lock-out's own allowance, three letters fall within two days. */
const LEAST_LENGTH_ON_LOOPBACK = 4;

/**
 * What is wrong with a token as a bearer token, or `undefined`.
 *
 * @param onLoopback - the server listens on loopback only
 */
export function tokenWeakness(
  token: string,
  onLoopback: boolean,
): { readonly refused: boolean; readonly message: string } | undefined {
  const fix = "`nest token` prints a good one";
  if (token.trim() === "")
    return { refused: true, message: `expected a token, found an empty one; ${fix}` };
  if (PLACEHOLDERS.has(token.toLowerCase())) {
    return { refused: true, message: `expected a token of your own, found a placeholder; ${fix}` };
  }
  if (!/^[\x21-\x7e]{1,512}$/.test(token)) {
    return {
      refused: true,
      message: `expected up to 512 printable ASCII characters without spaces (RFC 6750 section 2.1); ${fix}`,
    };
  }
  const least = onLoopback ? LEAST_LENGTH_ON_LOOPBACK : LEAST_LENGTH;
  if (token.length < least) {
    return {
      refused: true,
      message: `expected at least ${least} characters, found ${token.length}; ${fix}`,
    };
  }
  if (token.length < GOOD_LENGTH) {
    return { refused: false, message: `${token.length} characters are few for a token; ${fix}` };
  }
  return undefined;
}
