import { apiJson } from "../api/http.ts";

/** A place where a text stands; `line` 0 is a name (docs/vault.md). */
export interface Match {
  readonly path: string;
  readonly line: number;
  readonly text: string;
}

export interface Found {
  readonly matches: readonly Match[];
  readonly truncated?: boolean;
}

/** @throws {ApiError} */
export function findText(q: string, limit: number, signal: AbortSignal): Promise<Found> {
  return apiJson<Found>(`api/search?${new URLSearchParams({ q, limit: String(limit) })}`, {
    signal,
  });
}
