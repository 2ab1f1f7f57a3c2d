/** Where a secret of the config comes from. */
export type Secret =
  | { readonly kind: "literal"; readonly value: string }
  | { readonly kind: "env"; readonly name: string }
  | { readonly kind: "file"; readonly path: string }
  /** SHA-256 of the secret, hexadecimal, so that the file holds nothing worth stealing. */
  | { readonly kind: "sha256"; readonly hex: string };

/** Reads the four forms: `env:NAME`, `file:PATH`, `sha256:HEX`, else a literal. */
export function parseSecret(text: string): Secret {
  const [prefix, rest] = split(text);
  switch (prefix) {
    case "env":
      return { kind: "env", name: rest };
    case "file":
      return { kind: "file", path: rest };
    case "sha256":
      return { kind: "sha256", hex: rest };
    default:
      return { kind: "literal", value: text };
  }
}

function split(text: string): [string, string] {
  const colon = text.indexOf(":");
  return colon === -1 ? ["", text] : [text.slice(0, colon), text.slice(colon + 1)];
}

/** What a secret is resolved with: the process's environment and files, handed in. */
export interface SecretSources {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of a file named relative to the config file. */
  readonly readFile: (path: string) => string;
}

/** Either the secret's own text or its digest. */
export type ResolvedSecret = { readonly text: string } | { readonly sha256: Uint8Array };

/**
 * Fetches a secret.
 *
 * @throws {SecretError} that says what to do, without the secret
 */
export function resolveSecret(secret: Secret, sources: SecretSources): ResolvedSecret {
  switch (secret.kind) {
    case "literal":
      return { text: secret.value };
    case "env": {
      const value = sources.env[secret.name];
      if (value === undefined || value === "") {
        throw new SecretError(
          `expected the environment variable "${secret.name}" to be set, found it unset or empty`,
        );
      }
      return { text: value };
    }
    case "file":
      return { text: fileSecret(secret.path, sources.readFile) };
    case "sha256":
      if (!/^[0-9a-f]{64}$/i.test(secret.hex)) {
        throw new SecretError(
          "expected sha256: and 64 hexadecimal digits; `nest token --hash` prints them",
        );
      }
      return { sha256: Uint8Array.fromHex(secret.hex) };
    default:
      return secret satisfies never;
  }
}

/** A secret that can't be had; the message is safe to show. */
export class SecretError extends Error {
  override readonly name = "SecretError";
}

/** The file's text without the newline that editors end files with. */
function fileSecret(path: string, readFile: (path: string) => string): string {
  let text: string;
  try {
    text = readFile(path);
  } catch (error) {
    throw new SecretError(
      `expected a readable file "${path}" (${(error as NodeJS.ErrnoException).code ?? "unreadable"})`,
    );
  }
  text = text.replace(/\r?\n$/, "");
  if (text === "") throw new SecretError(`expected a secret in the file "${path}", found it empty`);
  return text;
}
