import { signedOut, tokenNow } from "../account/account.ts";
import { ask, errorOf } from "./ask.ts";

/**
 * Asks this Nest, with this browser's token. A 401 signs out: the token is no longer good, and trying it again would
 * count towards a lock-out.
 *
 * @param path - below the workspace's address, `api/…`
 * @throws {ApiError} for every answer that is no success
 */
export async function api(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await ask(path, init, tokenNow());
  if (response.ok || response.status === 304) return response;
  const error = await errorOf(response);
  if (error.status === 401) signedOut("over");
  throw error;
}

/** As {@link api}, for the JSON in the answer. */
export async function apiJson<T>(path: string, init: RequestInit = {}): Promise<T> {
  return (await (await api(path, init)).json()) as T;
}

/** Sends a JSON body. */
export function jsonBody(value: unknown): RequestInit {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(value) };
}
