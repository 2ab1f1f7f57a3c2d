import { type AttachedFrame, CLOSE, type ErrorFrame } from "./protocol.ts";

/** Why a client stops for good: the same try again would end the same way. */
export type RefusedCode = "unauthorized" | "insufficient_scope" | "session_not_found";

/** Why there is no connection just now. */
export type AwayReason =
  /** No answer, or the connection broke. */
  | "unreachable"
  /** The server said goodbye: it stops or restarts. */
  | "server_stopping"
  /** The upgrade was refused, though the token is good. */
  | "upgrade_refused"
  | "too_many_waiting"
  | "too_slow"
  /** Events were missing, or nothing came for too long. */
  | "broken";

/** What a client knows of its connection; times are of the injected monotonic clock, in ms. */
export type ClientState =
  | { readonly kind: "connecting" }
  | { readonly kind: "open"; readonly attached: AttachedFrame }
  | { readonly kind: "away"; readonly reason: AwayReason; readonly retryAtMs: number }
  | { readonly kind: "locked_out"; readonly untilMs: number }
  | { readonly kind: "refused"; readonly code: RefusedCode }
  /** By our own `close()`. */
  | { readonly kind: "closed" };

/** What follows from an ended connection or a refused upgrade. */
export type Ending =
  | { readonly kind: "away"; readonly reason: AwayReason }
  | { readonly kind: "locked_out"; readonly seconds: number }
  | { readonly kind: "refused"; readonly code: RefusedCode };

/** Wait where a lock-out doesn't say how long it lasts, seconds: the server's default window. */
const DEFAULT_LOCK_OUT_SECONDS = 60;

/**
 * @param code - close code, 1006 if there was none
 * @param error - the error frame right before it, if one came
 */
export function endingOf(code: number, error: ErrorFrame | undefined): Ending {
  if (error?.code === "locked_out")
    return { kind: "locked_out", seconds: error.retryAfterSeconds ?? DEFAULT_LOCK_OUT_SECONDS };
  switch (code) {
    case CLOSE.unauthorized:
      return {
        kind: "refused",
        code: error?.code === "insufficient_scope" ? "insufficient_scope" : "unauthorized",
      };
    case CLOSE.sessionNotFound:
      return { kind: "refused", code: "session_not_found" };
    case CLOSE.goingAway:
      return { kind: "away", reason: "server_stopping" };
    case CLOSE.tryAgainLater:
      return { kind: "away", reason: "too_many_waiting" };
    case CLOSE.tooSlow:
      return { kind: "away", reason: "too_slow" };
    default:
      return { kind: "away", reason: "unreachable" };
  }
}

/** An HTTP answer from where the socket should have been opened. */
export interface ProbeAnswer {
  readonly status: number;
  readonly retryAfterSeconds?: number;
}

/** @param answer - `undefined` if there was none */
export function endingOfProbe(answer: ProbeAnswer | undefined): Ending {
  switch (answer?.status) {
    case undefined:
      return { kind: "away", reason: "unreachable" };
    case 429:
      return {
        kind: "locked_out",
        seconds: answer?.retryAfterSeconds ?? DEFAULT_LOCK_OUT_SECONDS,
      };
    case 401:
      return { kind: "refused", code: "unauthorized" };
    default:
      return { kind: "away", reason: "upgrade_refused" };
  }
}
