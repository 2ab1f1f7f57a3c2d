import { BASE } from "../base.ts";

/** This browser's own token, as it is kept. */
export interface KeptToken {
  /** Names it to the server, for signing out. */
  readonly id: string;
  readonly token: string;
}

/** Two Nests below one origin don't share a token. */
const KEY = `nest.token:${BASE.pathname}`;

/** The tab's token, else the browser's. */
export function loadToken(): KeptToken | undefined {
  return read("sessionStorage") ?? read("localStorage");
}

/** @param keep - for this browser; otherwise until the tab is closed */
export function saveToken(token: KeptToken, keep: boolean): void {
  clearToken();
  storage(keep ? "localStorage" : "sessionStorage")?.setItem(KEY, JSON.stringify(token));
}

export function clearToken(): void {
  storage("sessionStorage")?.removeItem(KEY);
  storage("localStorage")?.removeItem(KEY);
}

/** Calls `run` when another tab has signed out or in. */
export function watchToken(run: () => void): void {
  addEventListener("storage", ({ key }) => {
    if (key === KEY || key === null) run();
  });
}

function read(kind: "sessionStorage" | "localStorage"): KeptToken | undefined {
  try {
    const kept = JSON.parse(storage(kind)?.getItem(KEY) ?? "null") as Partial<KeptToken> | null;
    return typeof kept?.id === "string" && typeof kept.token === "string"
      ? { id: kept.id, token: kept.token }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Browsers that forbid storage throw at the mere mention of it. */
function storage(kind: "sessionStorage" | "localStorage"): Storage | undefined {
  try {
    return window[kind];
  } catch {
    return undefined;
  }
}
