import { computed } from "@preact/signals";
import { preference } from "../app/preference.ts";
import { TRASH } from "./files.ts";

/** Notes remembered. */
const MAX_RECENT = 20;

const kept = preference("recent-notes", "[]");

/** The latest opened notes of this browser, the newest first. */
export const recentNotes = computed<readonly string[]>(() => {
  try {
    const paths = JSON.parse(kept.value) as unknown;
    return Array.isArray(paths) ? paths.filter((path) => typeof path === "string") : [];
  } catch {
    return [];
  }
});

/** A note was opened. */
export function remember(path: string): void {
  if (path === TRASH || path.startsWith(`${TRASH}/`)) return;
  const others = recentNotes.peek().filter((other) => other !== path);
  kept.value = JSON.stringify([path, ...others].slice(0, MAX_RECENT));
}
