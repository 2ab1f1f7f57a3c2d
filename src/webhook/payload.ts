/** Deepest nesting of a payload; GitHub's deepest is below 10. */
const MAX_DEPTH = 64;

/** A payload that can't be read; the message may be shown. */
export class PayloadError extends Error {
  override readonly name = "PayloadError";
}

/**
 * Parses a JSON payload. How deep it goes is counted before anything recurses over it.
 *
 * @throws {PayloadError}
 */
export function parsePayload(body: Uint8Array): unknown {
  const text = decodeText(body);
  if (isTooDeep(text)) throw new PayloadError(`Expected JSON nested at most ${MAX_DEPTH} deep`);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new PayloadError("Expected the body to be JSON");
  }
}

/**
 * UTF-8, strictly: a byte that is none would be replaced by another, and then what is read is not what was signed.
 *
 * @throws {PayloadError}
 */
export function decodeText(body: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(body);
  } catch {
    throw new PayloadError("Expected the body to be UTF-8");
  }
}

function isTooDeep(json: string): boolean {
  let depth = 0;
  let isString = false;
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (isString) {
      if (character === "\\") i++;
      else if (character === '"') isString = false;
    } else if (character === '"') isString = true;
    else if (character === "{" || character === "[") {
      if (++depth > MAX_DEPTH) return true;
    } else if (character === "}" || character === "]") depth--;
  }
  return false;
}
