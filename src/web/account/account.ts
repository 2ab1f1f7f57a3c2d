import { signal } from "@preact/signals";
import { ask, errorOf } from "../api/ask.ts";
import { deviceName } from "./device-name.ts";
import { clearToken, type KeptToken, loadToken, saveToken, watchToken } from "./token-store.ts";

/** Why the sign-in form is shown: nobody signed in yet, somebody signed out, or the token is no longer good. */
export type OutReason = "new" | "left" | "over";

export type Account =
  | { readonly kind: "out"; readonly reason: OutReason }
  | { readonly kind: "in"; readonly kept: KeptToken };

const first = loadToken();

/** Who is signed in here. */
export const account = signal<Account>(
  first === undefined ? { kind: "out", reason: "new" } : { kind: "in", kept: first },
);

watchToken(() => {
  const kept = loadToken();
  const { value } = account;
  if (kept === undefined) {
    if (value.kind === "in") account.value = { kind: "out", reason: "left" };
  } else if (value.kind === "out" || value.kept.token !== kept.token) {
    account.value = { kind: "in", kept };
  }
});

/** This browser's token. */
export function tokenNow(): string | undefined {
  const { value } = account;
  return value.kind === "in" ? value.kept.token : undefined;
}

/** Forgets the token. */
export function signedOut(reason: OutReason): void {
  if (account.value.kind === "out") return;
  clearToken();
  account.value = { kind: "out", reason };
}

export type SignInResult =
  | { readonly kind: "in" }
  | { readonly kind: "wrong" }
  | { readonly kind: "locked"; readonly seconds: number }
  | { readonly kind: "away" }
  | { readonly kind: "refused"; readonly message: string };

/**
 * Exchanges a token for one of this browser's own, which alone is kept.
 *
 * @param keep - also after the tab is closed
 */
export async function signIn(token: string, keep: boolean): Promise<SignInResult> {
  // What no header can carry is no token: asking would only cost an attempt.
  if (!/^[\x21-\x7e]{1,512}$/.test(token)) return { kind: "wrong" };
  let response: Response;
  try {
    response = await ask(
      "api/browsers",
      {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ name: deviceName(navigator.userAgent), keep }),
      },
      token,
    );
  } catch {
    return { kind: "away" };
  }
  if (response.status === 201) {
    const kept = (await response.json()) as KeptToken;
    saveToken({ id: kept.id, token: kept.token }, keep);
    account.value = { kind: "in", kept };
    return { kind: "in" };
  }
  const error = await errorOf(response);
  if (error.status === 401) return { kind: "wrong" };
  if (error.status === 429) return { kind: "locked", seconds: error.retryAfterSeconds ?? 60 };
  if (error.status >= 502 && error.status <= 504) return { kind: "away" };
  return { kind: "refused", message: error.message };
}

/** Ends this browser's token on the server and forgets it here, whether the server answers or not. */
export async function signOut(): Promise<void> {
  const { value } = account;
  if (value.kind === "out") return;
  const { id, token } = value.kept;
  signedOut("left");
  try {
    await ask(`api/browsers/${encodeURIComponent(id)}`, { method: "DELETE" }, token);
  } catch {
    // Gone from here all the same; it ends by its date.
  }
}
