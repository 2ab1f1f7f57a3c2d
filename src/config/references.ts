import { digestOf } from "../auth/authenticator.ts";
import { OWNER } from "../auth/principal.ts";
import { isLoopback, parseIpAddress } from "../limit/ip-address.ts";
import { standardKey } from "../webhook/signatures.ts";
import { parseTemplate, TemplateError } from "../webhook/template.ts";
import type { Problem } from "./problem.ts";
import { parseSecret, type ResolvedSecret, resolveSecret, SecretError } from "./secret.ts";
import type { SecretSources } from "./secret.ts";
import type { Source } from "./source.ts";
import { tokenWeakness } from "./token-strength.ts";

type Path = readonly (string | number)[];

/** What the values of a config point to: secrets elsewhere, and each other. */
export interface References {
  readonly problems: readonly Problem[];
  readonly warnings: readonly Problem[];
  /** Environment variables that hold secrets. */
  readonly withheldEnv: readonly string[];
  /** SHA-256 of the token or bearer secret at `path`. */
  digest(path: Path): Uint8Array;
  /** The text of the secret at `path`. */
  text(path: Path): string;
}

/**
 * Fetches the secrets and looks at what no schema sees: names and tokens twice, sessions that are not there.
 *
 * It reads the raw values and passes over what the schema complains of anyway, so that the owner learns of both at once.
 */
export function resolveReferences(source: Source, sources: SecretSources): References {
  const problems: Problem[] = [];
  const warnings: Problem[] = [];
  const withheldEnv: string[] = [];
  const resolved = new Map<string, ResolvedSecret>();
  const fail = (path: Path, message: string) => problems.push(source.problem(path, message));

  const fetchSecret = (value: unknown, path: Path): ResolvedSecret | undefined => {
    if (typeof value !== "string" || value === "") return undefined;
    const secret = parseSecret(value);
    if (secret.kind === "env") withheldEnv.push(secret.name);
    try {
      const fetched = resolveSecret(secret, sources);
      resolved.set(path.join("/"), fetched);
      return fetched;
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      fail(path, error.message);
      return undefined;
    }
  };

  const server = mapping(mapping(source.value)["server"]);
  const onLoopback = isOnLoopback(server["host"]);
  const digests = new Map<string, string>();
  const token = (name: string, value: unknown, path: Path) => {
    const fetched = fetchSecret(value, path);
    if (fetched === undefined) return;
    if ("text" in fetched) {
      const weakness = tokenWeakness(fetched.text, onLoopback);
      if (weakness?.refused) fail(path, weakness.message);
      else if (weakness) warnings.push(source.problem(path, weakness.message));
    }
    const digest = digestOfSecret(fetched).toHex();
    const twin = digests.get(digest);
    if (twin === undefined) digests.set(digest, name);
    else fail(path, `expected a token of its own, found the same one as "${twin}"`);
  };
  token(OWNER, server["token"], ["server", "token"]);
  const names = new Set([OWNER]);
  for (const [i, item] of list(server["tokens"]).entries()) {
    const { name, token: value } = mapping(item);
    if (typeof name === "string") {
      if (names.has(name))
        fail(["server", "tokens", i, "name"], "expected a name of its own, found one twice");
      names.add(name);
    }
    token(String(name), value, ["server", "tokens", i, "token"]);
  }

  const sessions = new Set(["default", ...Object.keys(mapping(mapping(source.value)["sessions"]))]);
  const webhooks = mapping(mapping(source.value)["webhooks"]);
  for (const [name, item] of Object.entries(mapping(webhooks["sources"]))) {
    const { secret, verify, session, template } = mapping(item);
    const path = ["webhooks", "sources", name];
    if (typeof session === "string" && !sessions.has(session))
      fail([...path, "session"], `expected one of ${[...sessions].join(", ")}`);
    if (typeof template === "string") {
      const expected = templateProblem(template);
      if (expected !== undefined) fail([...path, "template"], `expected ${expected}`);
    }
    const fetched = fetchSecret(secret, [...path, "secret"]);
    if (fetched === undefined) continue;
    const owner = digests.get(digestOfSecret(fetched).toHex());
    if (owner !== undefined) {
      // It would travel to a third party, and open the API as well.
      fail([...path, "secret"], `expected a secret of its own, found the token of "${owner}"`);
    } else if ("sha256" in fetched && verify !== "bearer") {
      fail(
        [...path, "secret"],
        `expected the secret itself, since verify "${kind(verify)}" computes with it, found sha256:`,
      );
    } else if (verify === "standard" && "text" in fetched && !standardKey(fetched.text)) {
      fail(
        [...path, "secret"],
        "expected a Standard Webhooks secret: whsec_ and 16 to 128 bytes in base64",
      );
    }
  }

  const at = (path: Path) => resolved.get(path.join("/")) as ResolvedSecret;
  return {
    problems,
    warnings,
    withheldEnv,
    digest: (path) => digestOfSecret(at(path)),
    text: (path) => (at(path) as { text: string }).text,
  };
}

function digestOfSecret(secret: ResolvedSecret): Uint8Array {
  return "sha256" in secret ? secret.sha256 : digestOf(secret.text);
}

function isOnLoopback(host: unknown): boolean {
  if (host === undefined || host === "localhost") return true;
  const address = typeof host === "string" ? parseIpAddress(host) : undefined;
  return address !== undefined && isLoopback(address);
}

function templateProblem(template: string): string | undefined {
  try {
    parseTemplate(template);
    return undefined;
  } catch (error) {
    if (!(error instanceof TemplateError)) throw error;
    return error.message;
  }
}

/** Anything that is no known word is the schema's to complain of. */
function kind(verify: unknown): string {
  return verify === "standard" ? "standard" : "github";
}

function mapping(value: unknown): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return {};
  return value as Record<string, unknown>;
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
