import { signal } from "@preact/signals";
import { ApiError } from "../api/ask.ts";
import { api, apiJson } from "../api/http.ts";
import { DEFAULT_SESSION } from "../app/router.ts";

/** A named conversation, as the server lists it. */
export interface ListedSession {
  readonly name: string;
  readonly state?: "idle" | "busy";
  /** Its agent has a process. */
  readonly running?: boolean;
  /** Named in the config: ending it only ends its agent. */
  readonly configured?: boolean;
}

/** All sessions; only the default one until the server has told, or where it can't. */
export const sessions = signal<readonly ListedSession[]>([{ name: DEFAULT_SESSION }]);
/** False where this Nest can't make or stop sessions. */
export const canManage = signal(true);

export const SESSION_NAME = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/** Reads the list anew; what went wrong is left as it was. */
export async function refreshSessions(): Promise<void> {
  try {
    const { sessions: listed } = await apiJson<{ sessions: ListedSession[] }>("api/sessions");
    if (Array.isArray(listed)) {
      sessions.value = listed.filter(({ name }) => typeof name === "string");
      canManage.value = true;
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) canManage.value = false;
  }
}

/** @throws {ApiError} */
export async function createSession(name: string): Promise<void> {
  await api(`api/sessions/${encodeURIComponent(name)}`, { method: "PUT" });
  await refreshSessions();
}

/** Ends its agent; the conversation is kept. @throws {ApiError} */
export async function stopSession(name: string): Promise<void> {
  await api(`api/sessions/${encodeURIComponent(name)}`, { method: "DELETE" });
  await refreshSessions();
}
