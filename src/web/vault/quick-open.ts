import type { Command } from "../app/commands.ts";
import { navigate } from "../app/router.ts";
import { partsOf, visible } from "./files.ts";
import { names, needNames } from "./names.ts";
import { recentNotes } from "./recent.ts";

/** Files offered at most. */
const MAX_FOUND = 50;

/** Files whose path has the letters of the query in their order, the best first; without a query, the latest opened. */
export async function quickOpen(query: string, signal: AbortSignal): Promise<Command[]> {
  needNames();
  if (!names.peek().isWhole) await wholeNames(signal);
  const { paths } = names.peek();
  const wanted = query.toLowerCase().replaceAll(/\s+/g, "");
  if (wanted === "") {
    return recentNotes
      .peek()
      .filter((path) => paths.has(path))
      .toReversed()
      .map(commandOf);
  }
  const best: { path: string; score: number }[] = [];
  for (const path of paths) {
    const score = scoreOf(wanted, path);
    if (score === undefined) continue;
    if (best.length >= MAX_FOUND && score <= (best.at(-1)?.score ?? 0)) continue;
    const at = best.findIndex((other) => other.score < score);
    best.splice(at === -1 ? best.length : at, 0, { path, score });
    if (best.length > MAX_FOUND) best.pop();
  }
  return best.map(({ path }) => commandOf(path));
}

function commandOf(path: string): Command {
  const { folder, name } = partsOf(path);
  return {
    id: `file:${path}`,
    title: visible(name.replace(/(.)\.md$/i, "$1")),
    detail: visible(folder),
    run: () => navigate({ kind: "note", path }),
  };
}

/** Resolves once all names are there, or the query is over. */
function wholeNames(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stop = names.subscribe(({ isWhole }) => {
    if (isWhole) resolve();
  });
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise.finally(stop);
}

/** Higher is better; `undefined` = a letter is missing. Exported for its tests. */
export function scoreOf(wanted: string, path: string): number | undefined {
  const inside = path.toLowerCase();
  const nameAt = inside.lastIndexOf("/") + 1;
  const whole = inside.indexOf(wanted, nameAt);
  if (whole === nameAt) return 3000 - path.length;
  if (whole !== -1) return 2000 - path.length + (isStart(inside, whole) ? 500 : 0);
  if (inside.includes(wanted)) return 1000 - path.length;
  let at = 0;
  let score = 0;
  let before = -2;
  for (const letter of wanted) {
    const found = inside.indexOf(letter, at);
    if (found === -1) return undefined;
    if (found === before + 1) score += 4;
    if (isStart(inside, found)) score += 8;
    if (found >= nameAt) score += 2;
    before = found;
    at = found + letter.length;
  }
  return score - path.length / 4;
}

function isStart(text: string, at: number): boolean {
  return at === 0 || /[\s/._-]/.test(text[at - 1] ?? "");
}
