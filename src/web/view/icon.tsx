import type { IconNode } from "lucide";
import { h } from "preact";

/** An icon of Lucide's (ISC). Decoration: what it means stands beside it, or in the label of what holds it. */
export function Icon({ of, size = 18 }: { of: IconNode; size?: number }) {
  return (
    <svg
      class="icon"
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {of.map(([tag, attributes]) => h(tag as "path", attributes as object))}
    </svg>
  );
}
