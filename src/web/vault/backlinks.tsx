import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { partsOf } from "./files.ts";
import { findText, type Match } from "./search.ts";

/** Notes shown at most. */
const MAX_NOTES = 40;

/** Who links to this note, found by searching for the ways to write that. */
export function Backlinks({ path }: { path: string }) {
  const found = useSignal<readonly Match[]>([]);
  useEffect(() => {
    const abort = new AbortController();
    void linksTo(path, abort.signal).then(
      (matches) => (found.value = matches),
      () => {
        // The note is whole without them.
      },
    );
    return () => abort.abort();
  }, [path]);
  if (found.value.length === 0) return null;
  return (
    <aside class="backlinks" aria-label="Backlinks">
      <h2>Linked from</h2>
      <ul class="plain-list">
        {found.value.map(({ path: from, text }) => (
          <li key={from}>
            <Link to={{ kind: "note", path: from }}>{from.replace(/\.md$/i, "")}</Link>
            <span class="dim small ellipsis">{text.trim()}</span>
          </li>
        ))}
      </ul>
    </aside>
  );
}

async function linksTo(path: string, signal: AbortSignal): Promise<Match[]> {
  const { stem, name } = partsOf(path);
  const byNote = new Map<string, Match>();
  const whole = path.replace(/\.md$/i, "");
  const wiki = [stem, name, whole, path].map((target) => target.toLowerCase());
  // Whatever the way of linking, the name stands in it.
  const { matches } = await findText(stem.slice(0, 250), 1000, signal);
  for (const match of matches) {
    if (match.line === 0 || match.path === path || byNote.has(match.path)) continue;
    if (isLink(match, path, wiki)) byNote.set(match.path, match);
  }
  return [...byNote.values()].slice(0, MAX_NOTES);
}

function isLink({ path: from, text }: Match, path: string, wiki: readonly string[]): boolean {
  for (const [, target = ""] of text.matchAll(/\[\[([^[\]|#]+)/g)) {
    if (wiki.includes(target.trim().toLowerCase())) return true;
  }
  for (const [, href = ""] of text.matchAll(/\]\(<?([^)>\s]+)/g)) {
    const address = URL.parse(href.replace(/[?#].*$/, ""), `http://vault/${encodeURI(from)}`);
    if (address?.host !== "vault") continue;
    try {
      if (decodeURIComponent(address.pathname.slice(1)) === path) return true;
    } catch {
      // No path of ours.
    }
  }
  return false;
}
