import { TRASH } from "./files.ts";
import { keptList } from "./kept-list.ts";

/** Notes remembered. */
const MAX_RECENT = 20;

/** The latest opened notes of this browser, the newest last. */
export const recentNotes = keptList("recent-notes", MAX_RECENT);

/** A note was opened. */
export function remember(path: string): void {
  if (path === TRASH || path.startsWith(`${TRASH}/`)) return;
  const others = recentNotes.peek().filter((other) => other !== path);
  recentNotes.value = [...others, path].slice(-MAX_RECENT);
}
