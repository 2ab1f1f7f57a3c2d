import { effect, type Signal, signal } from "@preact/signals";
import { account } from "../account/account.ts";
import { BASE } from "../base.ts";

/**
 * Paths that are remembered in this browser, where it allows that. The key begins as those of drafts do, which are all
 * forgotten when somebody signs out (`chat/draft.ts`): names of notes are nobody else's business.
 *
 * @param max - paths kept, the last ones
 */
export function keptList(name: string, max: number): Signal<readonly string[]> {
  const key = `nest.draft:${BASE.pathname}:/list/${name}`;
  const list = signal<readonly string[]>(read(key));
  account.subscribe((now) => {
    if (now.kind === "out" && now.reason === "left") list.value = [];
  });
  effect(() => {
    const { value } = list;
    try {
      if (value.length === 0) localStorage.removeItem(key);
      else localStorage.setItem(key, JSON.stringify(value.slice(-max)));
    } catch {
      // Full or forbidden: the list lasts as long as the page.
    }
  });
  return list;
}

function read(key: string): string[] {
  try {
    const paths = JSON.parse(localStorage.getItem(key) ?? "[]") as unknown;
    return Array.isArray(paths) ? paths.filter((path) => typeof path === "string") : [];
  } catch {
    return [];
  }
}
