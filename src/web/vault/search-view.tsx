import { useSignal } from "@preact/signals";
import { useEffect, useId } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { navigate } from "../app/router.ts";
import { SideHead } from "../app/side-head.tsx";
import { visible, wordsFor } from "./files.ts";
import { findText, type Found, type Match } from "./search.ts";

/** Waited for the next letter, ms. */
const PAUSE_MS = 180;
const MAX_MATCHES = 300;

/** Names and contents of the vault, searched while one types. */
export function SearchView({ query: start }: { query: string }) {
  const query = useSignal(start);
  const found = useSignal<{ query: string; result: Found } | undefined>(undefined);
  const problem = useSignal("");
  const id = useId();
  // Another address: a link, or back and forth.
  useEffect(() => {
    query.value = start;
  }, [start]);
  const wanted = query.value.trim().slice(0, 256);
  useEffect(() => {
    if (wanted === "") {
      found.value = undefined;
      return;
    }
    const abort = new AbortController();
    const timer = setTimeout(() => {
      if (wanted !== start) navigate({ kind: "search", query: wanted }, { replace: true });
      findText(wanted, MAX_MATCHES, abort.signal).then(
        (result) => {
          found.value = { query: wanted, result };
          problem.value = "";
        },
        (error: Error) => {
          if (!abort.signal.aborted) problem.value = wordsFor(error);
        },
      );
    }, PAUSE_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [wanted]);
  const result = found.value?.result;
  const notes = result === undefined ? [] : byNote(result.matches);
  return (
    <>
      <SideHead title="Search" />
      <div class="search-field">
        <label for={id} class="visually-hidden">
          Search the vault
        </label>
        <input
          id={id}
          class="input"
          type="search"
          placeholder="Words in names and notes"
          value={query.value}
          maxLength={256}
          autocomplete="off"
          spellcheck={false}
          autofocus
          ref={focusOnce}
          onInput={(event) => (query.value = event.currentTarget.value)}
        />
        <p class="dim small" role="status">
          {wordsOf(wanted, result, notes.length)}
        </p>
        <p class="problem" role="alert">
          {problem.value}
        </p>
      </div>
      <div class="pane-scroll" tabIndex={0}>
        <ul class="plain-list hits">
          {notes.map(({ path, lines }) => (
            <li key={path}>
              <Link class="hit" to={{ kind: "note", path }}>
                <span class="hit-path">
                  <Marked text={visible(path)} query={found.value?.query ?? ""} />
                </span>
                {lines.slice(0, 5).map(({ line, text }) => (
                  <span key={line} class="hit-line">
                    <span class="hit-number">{line}</span>
                    <span>
                      <Marked text={text.trim()} query={found.value?.query ?? ""} />
                    </span>
                  </span>
                ))}
                {lines.length > 5 && (
                  <span class="dim small">and {lines.length - 5} more lines</span>
                )}
              </Link>
            </li>
          ))}
        </ul>
      </div>
    </>
  );
}

const focused = new WeakSet<HTMLElement>();

/** `autofocus` works on the page's first load alone. */
function focusOnce(field: HTMLInputElement | null): void {
  if (field === null || focused.has(field)) return;
  focused.add(field);
  field.focus();
}

function wordsOf(query: string, result: Found | undefined, notes: number): string {
  if (query === "") return "Case makes no difference. Names count, too.";
  if (result === undefined) return "Searching…";
  if (notes === 0) return "Nothing found.";
  const count = notes === 1 ? "1 file" : `${notes} files`;
  return result.truncated === true ? `${count}, and there is more: say it more exactly.` : count;
}

interface NoteHits {
  readonly path: string;
  readonly lines: Match[];
}

/** Those found by name first. */
function byNote(matches: readonly Match[]): NoteHits[] {
  const notes = new Map<string, NoteHits & { isNamed: boolean }>();
  for (const match of matches) {
    let note = notes.get(match.path);
    if (note === undefined) {
      note = { path: match.path, lines: [], isNamed: false };
      notes.set(match.path, note);
    }
    if (match.line === 0) note.isNamed = true;
    else note.lines.push(match);
  }
  return [...notes.values()].toSorted((a, b) => Number(b.isNamed) - Number(a.isNamed));
}

/** A text with what was searched for marked. */
function Marked({ text, query }: { text: string; query: string }) {
  const at = query === "" ? -1 : text.toLowerCase().indexOf(query.toLowerCase());
  if (at === -1) return <>{text}</>;
  return (
    <>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + query.length)}</mark>
      {text.slice(at + query.length)}
    </>
  );
}
