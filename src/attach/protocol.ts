/**
 * Frames of `/attach`: JSON objects in WebSocket text frames. Described for people in `docs/attach-protocol.md`;
 * this file imports nothing, so that every client can share it.
 */

export const PROTOCOL_VERSION = 1;

/** Close codes, beside 1001 (going away), 1008 (policy violation), 1009 (frame too big) and 1013 (try again later) of RFC 6455 and IANA. */
export const CLOSE = {
  goingAway: 1001,
  /** More than a thousand commands over the rate in a row. */
  policyViolation: 1008,
  tryAgainLater: 1013,
  /** No authentication within the time allowed. */
  authTimeout: 4001,
  /** Wrong, expired or revoked token, or the address is locked out. Trying the same token again is useless. */
  unauthorized: 4003,
  /** No such session. */
  sessionNotFound: 4004,
  /** Too much was waiting to be read; come back with `since`. */
  tooSlow: 4008,
} as const;

export const LIMITS = {
  /** Time for the first frame, ms. */
  authTimeoutMs: 5000,
  /** First frame, bytes of UTF-8. */
  maxAuthFrameBytes: 4096,
  /** Sockets without authentication, for each client address and in all. */
  maxWaitingPerAddress: 16,
  maxWaiting: 256,
  /** Any later frame, bytes. */
  maxFrameBytes: 1024 * 1024,
  /** Frames in a minute, from one socket. */
  commandsPerMinute: 120,
  /** A reader for whom more than this waits is told of the vault's changes later, as one `resync`; bytes. */
  maxUnreadForVaultBytes: 64 * 1024,
  /** What may wait for a slow reader, bytes. */
  maxUnreadBytes: 8 * 1024 * 1024,
} as const;

/** The client's first frame, unless the upgrade carried an Authorization header. */
export interface AuthFrame {
  readonly type: "auth";
  readonly token: string;
}

export interface AuthOkFrame {
  readonly type: "auth_ok";
  readonly protocol: typeof PROTOCOL_VERSION;
  /** Version of Nest. */
  readonly version: string;
  readonly session: string;
  readonly limits: Pick<typeof LIMITS, "maxFrameBytes" | "commandsPerMinute" | "maxUnreadBytes">;
}

export interface AttachedFrame {
  readonly type: "attached";
  readonly session: string;
  /** Number of the session's newest event. */
  readonly seq: number;
  readonly state: "idle" | "busy";
  /** The events after `since` are no longer there: read the conversation anew with `get_messages`. */
  readonly resync: boolean;
  /** Answers come from a script and not from a model. */
  readonly scripted?: true;
  /** Dialogs (`extension_ui_request`) that still wait for an answer. */
  readonly dialogs?: readonly unknown[];
  /** Prompts that were cut off and may be run again with `retry_prompt`. */
  readonly interrupted?: readonly {
    readonly prompt: string;
    readonly key?: string;
    readonly message: string;
  }[];
}

export interface EventFrame {
  readonly type: "event";
  /** Rises by one with each event of the session. */
  readonly seq: number;
  readonly event: { readonly type: string; readonly [field: string]: unknown };
}

/** What has changed in the vault, whoever did it; for tokens with `attach` or `vault:read`. */
export interface VaultFrame {
  readonly type: "vault";
  /** Removed ones first, then by path; each path once. */
  readonly changes: readonly VaultChange[];
  /** More has changed than is listed: read anew what is shown. Absent otherwise. */
  readonly resync?: true;
}

export interface VaultChange {
  /** Of a file, a folder or a link, below the vault. */
  readonly path: string;
  readonly kind: "created" | "changed" | "removed";
}

export interface ResponseFrame {
  readonly type: "response";
  /** The command's own, if it had one. */
  readonly id?: string | number;
  readonly command: string;
  readonly success: boolean;
  readonly data?: unknown;
  /** For people. */
  readonly error?: string;
  /** For programs; absent where pi itself refused. */
  readonly code?: string;
}

export type ErrorCode =
  | "unauthorized"
  | "auth_timeout"
  | "locked_out"
  | "insufficient_scope"
  | "session_not_found"
  | "session_unavailable"
  | "too_many_waiting"
  | "bad_frame";

export interface ErrorFrame {
  readonly type: "error";
  readonly code: ErrorCode;
  /** With `locked_out`. */
  readonly retryAfterSeconds?: number;
}

export type ServerFrame =
  AuthOkFrame | AttachedFrame | EventFrame | VaultFrame | ResponseFrame | ErrorFrame;
