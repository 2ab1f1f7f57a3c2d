/** Severities, in order. */
export const LEVELS = ["debug", "info", "warn", "error"] as const;

export type Level = (typeof LEVELS)[number];

/** What a line says beside its event; never a token, a body or a query string. */
export type Fields = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * Names of the lines that owners alert on and fail2ban reads; stable, public (contract section 6).
 * Other lines may change their names.
 */
export type SecurityEvent =
  | "auth_failed"
  | "lockout_start"
  | "lockout_end"
  | "vault_violation"
  | "origin_refused"
  | "host_refused"
  | "token_rotated"
  | "webhook_limited";

/**
 * What is written to the security log besides the security events: who did what. Stable, public.
 *
 * `authenticated`: a token was used from an address for the first time in a while. `prompt`, `command`: over `/attach`,
 * with the length of the text. `webhook`: accepted, repeated or refused. `vault_*`: writes through the API.
 */
export type AuditEvent =
  | "authenticated"
  | "prompt"
  | "command"
  | "webhook"
  | "vault_write"
  | "vault_move"
  | "vault_delete"
  | "lockout_lifted"
  | "token_changed"
  | "browser_added"
  | "browser_revoked"
  | "started"
  | "stopped";

export interface Log {
  /** For the security log alone; nothing where there is none. */
  audit(event: AuditEvent, fields: Fields): void;
  debug(event: string, fields?: Fields): void;
  info(event: string, fields?: Fields): void;
  warn(event: string, fields?: Fields): void;
  error(event: string, fields?: Fields): void;
  /** A security event, always written, whatever the level. */
  security(event: SecurityEvent, fields: Fields): void;
}

export interface LogOptions {
  readonly level: Level;
  readonly format: "text" | "json";
  readonly wallMs: () => number;
  /** Takes one line, its newline included. */
  readonly write: (line: string) => void;
  /** The security log: takes the security events and what is audited, one JSON line each. */
  readonly writeAudit?: (line: string) => void;
}

/**
 * One line per event.
 *
 * Text: `2026-01-31T12:00:00.000Z warn auth_failed address=192.0.2.7 route="GET /api/status" …`, the address first, for
 * fail2ban. JSON: `{"time","level","event",…}`. Values from outside are quoted and cut, so none can forge a line
 * (CWE-117) or fill the disk.
 */
export function createLog(options: LogOptions): Log {
  const least = LEVELS.indexOf(options.level);
  const format =
    options.format === "json"
      ? (time: string, level: Level, event: string, fields: Fields) =>
          jsonLine({ time, level, event }, fields)
      : textLine;
  const at =
    (level: Level, always = false) =>
    (event: string, fields: Fields = {}): void => {
      if (!always && LEVELS.indexOf(level) < least) return;
      options.write(format(new Date(options.wallMs()).toISOString(), level, event, fields));
    };
  const audit = (event: string, fields: Fields) =>
    options.writeAudit?.(
      jsonLine({ time: new Date(options.wallMs()).toISOString(), event }, fields),
    );
  const security = at("warn", true);
  return {
    audit,
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    security(event, fields) {
      security(event, fields);
      audit(event, fields);
    },
  };
}

/** Longest value of a field, in UTF-16 code units. */
const MAX_VALUE_LENGTH = 500;
const PLAIN = /^[\w.:/@+-]+$/;

function jsonLine(head: Readonly<Record<string, string>>, fields: Fields): string {
  const line: Record<string, unknown> = { ...head };
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) line[name] = typeof value === "string" ? cut(value) : value;
  }
  return `${escapeControls(JSON.stringify(line))}\n`;
}

function textLine(time: string, level: Level, event: string, fields: Fields): string {
  let line = `${time} ${level} ${event}`;
  for (const [name, value] of Object.entries(fields)) {
    if (value === undefined) continue;
    const text = cut(String(value));
    line += ` ${name}=${PLAIN.test(text) ? text : escapeControls(JSON.stringify(text))}`;
  }
  return `${line}\n`;
}

function cut(value: string): string {
  return value.length <= MAX_VALUE_LENGTH ? value : `${value.slice(0, MAX_VALUE_LENGTH)}…`;
}

/** What JSON leaves raw though a terminal obeys it or a log reader splits on it: DEL, C1, line separators, bidi marks. */
function escapeControls(json: string): string {
  return json.replace(
    /[\u007f-\u009f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
