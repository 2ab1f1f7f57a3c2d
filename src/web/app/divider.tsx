import { preference } from "./preference.ts";

/** Width of the pane beside the conversation, px. */
const MIN = 320;
const MAX = 1100;
const STEP = 32;
const kept = preference("side-width", "520");

export function sideWidth(): number {
  return clamp(Number(kept.value) || 520);
}

function clamp(width: number): number {
  return Math.round(Math.min(MAX, Math.max(MIN, width)));
}

/** Between the conversation and what stands beside it: drag it, or move it with the arrows. */
export function Divider() {
  return (
    <div
      class="divider"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the side pane"
      aria-valuenow={sideWidth()}
      aria-valuemin={MIN}
      aria-valuemax={MAX}
      tabIndex={0}
      onPointerDown={(event) => {
        event.preventDefault();
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={(event) => {
        if (!event.currentTarget.hasPointerCapture(event.pointerId)) return;
        kept.value = String(clamp(innerWidth - event.clientX));
      }}
      onKeyDown={(event) => {
        const by = { ArrowLeft: STEP, ArrowRight: -STEP }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        kept.value = String(clamp(sideWidth() + by));
      }}
    />
  );
}
