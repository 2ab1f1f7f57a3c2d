import { BASE } from "../base.ts";

/** What was typed into a note and is not saved yet, kept through reloads in this browser; signing out forgets it. */
export interface KeptDraft {
  readonly text: string;
  /** Tag of the version that it began from; absent for a note that was not there. */
  readonly etag?: string | undefined;
  /** That version's text, if it was short enough to be kept, too. */
  readonly base: string;
}

/** Begins as the conversation's drafts do, which are all forgotten together (`chat/draft.ts`). */
const PREFIX = `nest.draft:${BASE.pathname}:/note/`;

const TAB_KEY = `nest.tab:${BASE.pathname}`;
let tab: string | undefined;

/** Two tabs on one note keep two drafts. */
function thisTab(): string {
  tab ??= sessionStorage.getItem(TAB_KEY) ?? crypto.randomUUID();
  sessionStorage.setItem(TAB_KEY, tab);
  return tab;
}

const keyOf = (path: string) => `${PREFIX}${thisTab()}/${path}`;

/** This tab's draft, or one that another has left behind. */
export function loadDraft(path: string): KeptDraft | undefined {
  try {
    const all = Object.keys(localStorage).filter((key) => isDraftOf(key, path));
    if (all.length === 0) return undefined;
    for (const key of [keyOf(path), ...all]) {
      const found = parse(localStorage.getItem(key));
      if (found !== undefined) return found;
    }
  } catch {
    // Forbidden.
  }
  return undefined;
}

/** @returns false if this browser does not take it */
export function saveDraft(path: string, draft: KeptDraft): boolean {
  try {
    localStorage.setItem(keyOf(path), JSON.stringify(draft));
    return true;
  } catch {
    return false;
  }
}

/** Forgets this tab's draft, and those of others with the same words. */
export function clearDraft(path: string, text: string): void {
  try {
    if (tab !== undefined) localStorage.removeItem(keyOf(path));
    for (const key of Object.keys(localStorage)) {
      if (isDraftOf(key, path) && parse(localStorage.getItem(key))?.text === text)
        localStorage.removeItem(key);
    }
  } catch {
    // There is nothing to forget.
  }
}

/** Drafts go along when a note or folder gets another path. */
export function moveDrafts(from: string, to: string): void {
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(PREFIX)) continue;
      const slash = key.indexOf("/", PREFIX.length);
      const path = key.slice(slash + 1);
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      const kept = localStorage.getItem(key);
      if (kept === null) continue;
      localStorage.removeItem(key);
      localStorage.setItem(key.slice(0, slash + 1) + to + path.slice(from.length), kept);
    }
  } catch {
    // Forbidden: then there are none.
  }
}

function isDraftOf(key: string, path: string): boolean {
  if (!key.startsWith(PREFIX)) return false;
  const rest = key.slice(PREFIX.length);
  return rest.slice(rest.indexOf("/") + 1) === path;
}

function parse(kept: string | null): KeptDraft | undefined {
  if (kept === null) return undefined;
  try {
    const { text, etag, base } = JSON.parse(kept) as Partial<KeptDraft>;
    if (typeof text !== "string" || typeof base !== "string") return undefined;
    return { text, base, ...(typeof etag === "string" && { etag }) };
  } catch {
    return undefined;
  }
}
