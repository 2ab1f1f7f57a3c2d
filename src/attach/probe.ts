import type { ProbeAnswer } from "./client-state.ts";

/** Longest wait for the answer, ms. */
const TIMEOUT_MS = 5000;

/**
 * Asks over HTTP why an upgrade was refused, which no WebSocket of a browser tells: 429 while the address is locked
 * out, 401 for a wrong token, 426 where all is well but for the missing handshake.
 *
 * Without a token it is no authentication and counts as none (`/attach` decides on that behind the upgrade).
 *
 * @param url - `ws:` or `wss:` URL of `/attach`
 * @param token - sent along if given; a wrong one counts as a failed authentication
 */
export async function probeAttach(url: string, token?: string): Promise<ProbeAnswer | undefined> {
  try {
    const response = await fetch(url.replace(/^ws/, "http"), {
      headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    const seconds = Number(response.headers.get("Retry-After"));
    return {
      status: response.status,
      ...(Number.isFinite(seconds) && seconds > 0 && { retryAfterSeconds: seconds }),
    };
  } catch {
    return undefined;
  }
}
