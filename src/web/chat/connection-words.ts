import type { AwayReason, ClientState } from "../../attach/client-state.ts";

/** What to say of a connection; nothing when all is well. */
export function connectionWords(state: ClientState, nowMs: number): string | undefined {
  switch (state.kind) {
    case "open":
    case "closed":
      return undefined;
    case "connecting":
      return "Connecting";
    case "away":
      return `${AWAY[state.reason]}. Reconnecting, ${seconds(state.retryAtMs - nowMs)} s`;
    case "locked_out":
      return `Locked out for ${seconds(state.untilMs - nowMs)} s after too many wrong tokens`;
    case "refused":
      return REFUSED[state.code];
  }
}

const AWAY: Record<AwayReason, string> = {
  unreachable: "Nest doesn't answer",
  server_stopping: "Nest restarts",
  upgrade_refused: "The connection was refused, perhaps by a proxy",
  too_many_waiting: "Too many connections",
  too_slow: "Too slow to keep up",
  broken: "The connection broke",
};

const REFUSED = {
  unauthorized: "This sign-in has ended",
  insufficient_scope: "This token may not talk to the agent",
  session_not_found: "There is no session of this name",
} as const;

function seconds(ms: number): number {
  return Math.max(0, Math.ceil(ms / 1000));
}
