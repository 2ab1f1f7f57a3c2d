import * as v from "valibot";
import { SESSION_NAME } from "../agent/session-name.ts";
import { SCOPES } from "../auth/principal.ts";
import { parseIpAddress, parseIpPrefix } from "../limit/ip-address.ts";
import { LEVELS } from "../log/log.ts";
import { SOURCE_NAME } from "../webhook/source-name.ts";
import { parseSecret } from "./secret.ts";

/**
 * `config.yaml`: every key, with unit · bounds · default beside it. Unknown keys are errors.
 *
 * Each message says what was expected, as the end of a sentence "expected …". None may repeat what was found:
 * valibot's own messages do, and a token in the wrong place would end up in a log.
 */

const whole = (min: number, max: number, what: string) => {
  const expected = `${what}: a whole number from ${min} to ${max}`;
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(min, expected),
    v.maxValue(max, expected),
  );
};

const text = (expected: string) => v.pipe(v.string(expected), v.nonEmpty(expected));

const secret = (expected: string) =>
  v.pipe(v.string(expected), v.nonEmpty(expected), v.transform(parseSecret));

const TOKEN =
  "a token (a literal, env:NAME, file:PATH or sha256:HEX); `nest token` prints a new one";

/** A host name or an IP literal to listen on, RFC 1123 section 2.1. */
const HOST = "an IP address or host name to listen on";
const hostName =
  /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;
const isHost = (host: string) => parseIpAddress(host) !== undefined || hostName.test(host);

const PROXY = "the address or CIDR block of a proxy, like 172.30.0.2 or 10.0.0.0/8";
const ORIGIN = 'an exact origin, like https://notes.example.org (no path, no "*", no "null")';
const EXPIRES = "a date, like 2027-01-31, or a time with its zone, like 2027-01-31T18:00:00Z";

function isOrigin(origin: string): boolean {
  const url = URL.parse(origin);
  return (
    url !== null &&
    /^https?:$/.test(url.protocol) &&
    url.origin === origin &&
    // No browser sends an origin with an asterisk: a pattern here would match nothing.
    !url.hostname.includes("*")
  );
}

/** RFC 3339 full-date or date-time. A date means its first moment, UTC. */
const dateTime =
  /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
function parseTime(time: string): number | undefined {
  const ms = dateTime.test(time) ? Date.parse(time) : Number.NaN;
  // `Date.parse` turns 2027-02-30 into 2 March; the day that comes back must be the day that went in.
  if (
    Number.isNaN(ms) ||
    new Date(`${time.slice(0, 10)}T00:00:00Z`).getUTCDate() !== Number(time.slice(8, 10))
  ) {
    return undefined;
  }
  return ms;
}

const origin = v.pipe(v.string(ORIGIN), v.check(isOrigin, ORIGIN));

const SESSION = "a session name: a to z, 0 to 9, _ and -, at most 64, a letter or digit first";
const sessionName = v.pipe(v.string(SESSION), v.regex(SESSION_NAME, SESSION));
const SOURCE = "a source name: a to z, 0 to 9, _ and -, 1 to 64 of them";
const sourceName = v.pipe(v.string(SOURCE), v.regex(SOURCE_NAME, SOURCE));
const VARIABLE = "the name of an environment variable";
const variableName = v.pipe(v.string(VARIABLE), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, VARIABLE));

const server = v.strictObject(
  {
    /** Address to listen on · 127.0.0.1. Anything but loopback wants TLS in front. */
    host: v.optional(v.pipe(v.string(HOST), v.check(isHost, HOST)), "127.0.0.1"),
    /** TCP port · 0 (any free one) to 65535 · 8484. */
    port: v.optional(whole(0, 65_535, "a port"), 8484),
    /** The owner's token: whoever has it runs commands through the agent. Required. */
    token: secret(TOKEN),
    /** More tokens, each with its scopes · none. */
    tokens: v.optional(
      v.array(
        v.strictObject(
          {
            name: text("a name for the token, shown in logs"),
            token: secret(TOKEN),
            scopes: v.pipe(
              v.array(
                v.picklist(SCOPES, `one of ${SCOPES.join(", ")}`),
                `a list of scopes: ${SCOPES.join(", ")}`,
              ),
              v.minLength(1, `at least one scope of ${SCOPES.join(", ")}`),
            ),
            /** From this moment on the token is refused · never. */
            expires: v.optional(
              v.pipe(
                v.string(EXPIRES),
                v.check((time) => parseTime(time) !== undefined, EXPIRES),
                v.transform((time) => parseTime(time) as number),
              ),
            ),
          },
          "a token: {name, token, scopes, expires}",
        ),
        "a list of tokens: {name, token, scopes, expires}",
      ),
      [],
    ),
    /** Peers whose X-Forwarded-For and X-Forwarded-Proto are believed · none. */
    trustedProxies: v.optional(
      v.array(
        v.pipe(
          v.string(PROXY),
          // Not everybody: then everybody chose the address that is counted, and the Host that is served.
          v.check((cidr) => (parseIpPrefix(cidr)?.length ?? 0) > 0, PROXY),
          v.transform(
            (cidr) => parseIpPrefix(cidr) as NonNullable<ReturnType<typeof parseIpPrefix>>,
          ),
        ),
        `a list: ${PROXY}`,
      ),
      [],
    ),
    /** Host names served besides IP literals and localhost · none. */
    hosts: v.optional(
      v.array(
        v.pipe(
          v.string("a host name without scheme or port, like notes.example.org"),
          v.regex(hostName, "a host name without scheme or port, like notes.example.org"),
          v.toLowerCase(),
        ),
        "a list of host names",
      ),
      [],
    ),
    /** Web pages of other origins that may call the API · absent: none, CORS is off. */
    cors: v.optional(
      v.strictObject(
        {
          origin: v.pipe(
            v.union(
              [origin, v.pipe(v.array(origin, ORIGIN), v.minLength(1, ORIGIN))],
              `${ORIGIN}, or a list of them`,
            ),
            v.transform((one) => (typeof one === "string" ? [one] : one)),
          ),
        },
        "{origin}",
      ),
    ),
    rateLimit: v.optional(
      v.strictObject(
        {
          /** Failed authentications that lock an address · 1 to 1000 · 10. */
          maxFailures: v.optional(whole(1, 1000, "failures that lock an address"), 10),
          /** Seconds over which they count · 1 to 86400 · 60. */
          windowSeconds: v.optional(whole(1, 86_400, "seconds"), 60),
          /** Leading bits of an IPv6 address that count as one client · 1 to 128 · 64. */
          ipv6Prefix: v.optional(whole(1, 128, "leading bits of an IPv6 address"), 64),
        },
        "{maxFailures, windowSeconds, ipv6Prefix}",
      ),
      {},
    ),
  },
  "{token, …}",
);

const vault = v.strictObject(
  {
    /** The shared folder, created if absent · ./vault. */
    path: v.optional(text("a folder"), "./vault"),
    /** Largest file that may be written through the API, bytes · 1 to 2^40 · 104857600 (100 MiB). */
    maxFileBytes: v.optional(whole(1, 2 ** 40, "bytes"), 104_857_600),
  },
  "{path, maxFileBytes}",
);

const agent = v.strictObject(
  {
    /** Program and first arguments · absent: the pi that ships with Nest. */
    command: v.optional(
      v.pipe(
        v.array(text("a program or an argument"), "a list: program, then arguments"),
        v.minLength(1, "a list: program, then arguments"),
      ),
    ),
    /** Passed to pi: --provider, --model, … · none. */
    args: v.optional(v.array(v.string("an argument, as a string"), "a list of arguments"), []),
    /** Added to the agent's environment · none. */
    env: v.optional(
      v.record(
        variableName,
        v.string("a string (put numbers in quotes)"),
        "a mapping of names to strings",
      ),
      {},
    ),
  },
  "{command, args, env}",
);

const sessions = v.record(
  sessionName,
  v.strictObject(
    {
      /** The agent's working folder, created if absent · vault.path. */
      cwd: v.optional(text("a folder")),
      /** The agent's process ends after so long without anything to do, minutes · 0 (never) to 525600 · 0. */
      idleMinutes: v.optional(whole(0, 525_600, "minutes"), 0),
    },
    "{cwd, idleMinutes}",
  ),
  "a mapping of session names to {cwd, idleMinutes}",
);

const webhooks = v.strictObject(
  {
    /** Accepted webhooks a minute from each source · 1 to 10000 · 10. */
    perSource: v.optional(whole(1, 10_000, "webhooks a minute"), 10),
    /** Accepted webhooks a minute in all · 1 to 10000 · 30. */
    global: v.optional(whole(1, 10_000, "webhooks a minute"), 30),
    sources: v.optional(
      v.record(
        sourceName,
        v.strictObject(
          {
            /** What the sender proves itself with. */
            secret: secret(
              "a secret (a literal, env:NAME or file:PATH; sha256:HEX where verify is bearer)",
            ),
            /** How: GitHub's X-Hub-Signature-256, Standard Webhooks, or a bearer token. */
            verify: v.picklist(["github", "standard", "bearer"], "github, standard or bearer"),
            /** The session that is woken · default. */
            session: v.optional(sessionName, "default"),
            /** How the agent's message is made from the payload · the payload itself. */
            template: v.optional(text("a template")),
          },
          "{secret, verify, session, template}",
        ),
        "a mapping of source names to {secret, verify, session, template}",
      ),
      {},
    ),
  },
  "{perSource, global, sources}",
);

const AUDIT = "a file for the security log, or false";

const log = v.strictObject(
  {
    /** Least severity written · info. Security events are always written. */
    level: v.optional(v.picklist(LEVELS, LEVELS.join(", ")), "info"),
    /** auto = text on a terminal, JSON lines elsewhere · auto. */
    format: v.optional(v.picklist(["auto", "text", "json"], "auto, text or json"), "auto"),
    /** The security log, JSON lines, made with mode 0600 · ./sessions/audit.log. false = none. */
    audit: v.optional(v.union([v.literal(false), text(AUDIT)], AUDIT), "./sessions/audit.log"),
  },
  "{level, format, audit}",
);

export const configSchema = v.strictObject(
  {
    server,
    vault: v.optional(vault, {}),
    agent: v.optional(agent, {}),
    sessions: v.optional(sessions, { default: {} }),
    webhooks: v.optional(webhooks, {}),
    log: v.optional(log, {}),
  },
  "a mapping with at least server.token",
);

/** `config.yaml` after the schema, before its secrets and paths are resolved. */
export type ConfigFile = v.InferOutput<typeof configSchema>;
