import { type Component, truncateToWidth, visibleWidth } from "@earendil-works/pi-tui";
import type { ClientState } from "../attach/client-state.ts";
import { connectionWords } from "./connection-words.ts";
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

function short(count: number): string {
  if (count < 1000) return String(count);
  return count < 1_000_000
    ? `${(count / 1000).toFixed(count < 10_000 ? 1 : 0)}k`
    : `${(count / 1_000_000).toFixed(1)}M`;
}
