import type { ClientState } from "../attach/client-state.ts";

const AWAY = {
  unreachable: "No answer",
  server_stopping: "Nest is restarting",
  upgrade_refused: "Nest refused the connection",
  too_many_waiting: "Nest is full",
  too_slow: "This terminal was too slow",
  broken: "The connection broke",
} as const;

const REFUSED = {
  unauthorized: "The token is not accepted",
  insufficient_scope: "The token may not attach",
  session_not_found: "There is no such session",
} as const;

/** Nothing when all is well. */
export function connectionWords(state: ClientState, nowMs: number): string {
  const seconds = (untilMs: number) => `${Math.max(1, Math.ceil((untilMs - nowMs) / 1000))} s`;
  switch (state.kind) {
    case "open":
      return "";
    case "connecting":
      return "Connecting";
    case "away":
      return `${AWAY[state.reason]}. Reconnecting, ${seconds(state.retryAtMs)}`;
    case "locked_out":
      return `Locked out for ${seconds(state.untilMs)} after too many wrong tokens`;
    case "refused":
      return REFUSED[state.code];
    case "closed":
      return "Closed";
  }
}
