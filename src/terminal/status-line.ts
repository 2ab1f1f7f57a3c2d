import { type Component, truncateToWidth, visibleWidth } from "@earendil-works/pi-tui";
import type { ClientState } from "../attach/client-state.ts";
import type { Palette } from "./palette.ts";

export interface Status {
  session: string;
  model?: string;
  isScripted: boolean;
  /** Tokens in the context, and how many it may hold. */
  context?: { readonly tokens: number; readonly window: number };
  /** US dollars. */
  cost?: number;
  state: ClientState;
}

/** The last line: session, model, context, cost on the left; the connection on the right, if it is not well. */
export class StatusLine implements Component {
  readonly #status: Status;
  readonly #palette: Palette;
  readonly #nowMs: () => number;

  constructor(status: Status, palette: Palette, nowMs: () => number) {
    this.#status = status;
    this.#palette = palette;
    this.#nowMs = nowMs;
  }

  render(width: number): string[] {
    const { session, model, context, cost, isScripted, state } = this.#status;
    const left = [
      session,
      ...(isScripted ? ["scripted model"] : model === undefined ? [] : [model]),
      ...(context === undefined
        ? []
        : [`${short(context.tokens)} of ${short(context.window)} tokens`]),
      ...(cost === undefined || isScripted ? [] : [`$${cost.toFixed(2)}`]),
    ].join(" · ");
    const right = connectionWords(state, this.#nowMs());
    const room = width - 2 - (right === "" ? 0 : visibleWidth(right) + 2);
    const shown = truncateToWidth(left, Math.max(0, room), "…");
    const gap = " ".repeat(Math.max(1, width - 2 - visibleWidth(shown) - visibleWidth(right)));
    const { dim, accent } = this.#palette;
    return [` ${dim(shown)}${right === "" ? "" : gap + accent(right)}`];
  }

  invalidate(): void {}
}

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

function short(count: number): string {
  if (count < 1000) return String(count);
  return count < 1_000_000
    ? `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k`
    : `${(count / 1_000_000).toFixed(1)}M`;
}
