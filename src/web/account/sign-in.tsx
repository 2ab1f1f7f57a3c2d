import { useSignal } from "@preact/signals";
import type { TargetedSubmitEvent } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Mark } from "../view/mark.tsx";
import { type OutReason, signIn, type SignInResult } from "./account.ts";

/** The one thing that is seen without a token. The address stays, so a deep link leads there afterwards. */
export function SignIn({ reason }: { reason: OutReason }) {
  const result = useSignal<SignInResult | undefined>(undefined);
  const isBusy = useSignal(false);
  const isShown = useSignal(false);
  const lockedFor = useSignal(0);
  const field = useRef<HTMLInputElement>(null);
  const keep = useRef<HTMLInputElement>(null);

  useEffect(() => field.current?.focus(), []);
  useEffect(() => {
    if (lockedFor.value === 0) return;
    const timer = setInterval(() => {
      lockedFor.value = Math.max(0, lockedFor.value - 1);
      if (lockedFor.value === 0) result.value = undefined;
    }, 1000);
    return () => clearInterval(timer);
  }, [lockedFor.value === 0]);

  async function submit(event: TargetedSubmitEvent<HTMLFormElement>) {
    event.preventDefault();
    const token = field.current?.value.trim() ?? "";
    if (token === "" || isBusy.value || lockedFor.value > 0) return;
    isBusy.value = true;
    const outcome = await signIn(token, keep.current?.checked === true);
    isBusy.value = false;
    result.value = outcome;
    if (outcome.kind === "locked") lockedFor.value = outcome.seconds;
    if (outcome.kind === "wrong") field.current?.select();
  }

  const problem = wordsFor(result.value, lockedFor.value);
  return (
    <main class="sign-in">
      <form class="sign-in-form" onSubmit={submit}>
        <Mark size={44} />
        <h1>Nest</h1>
        <p class="dim">{GREETING[reason]}</p>
        {/* Password managers file the token under a name. */}
        <input
          class="visually-hidden"
          type="text"
          name="username"
          autocomplete="username"
          value="owner"
          readOnly
          tabIndex={-1}
          aria-hidden="true"
        />
        <div class="field">
          <label class="field-label" for="token">
            Token
          </label>
          <span class="field-row">
            <input
              ref={field}
              id="token"
              class="input mono"
              type={(isShown.value ? "text" : "password") as "password"}
              name="password"
              autocomplete="current-password"
              autocapitalize="off"
              spellcheck={false}
              required
              aria-invalid={result.value?.kind === "wrong"}
              aria-describedby="sign-in-problem"
            />
            <button
              class="button quiet"
              type="button"
              aria-pressed={isShown.value}
              onClick={() => (isShown.value = !isShown.value)}
            >
              {isShown.value ? "Hide" : "Show"}
            </button>
          </span>
        </div>
        <label class="check">
          <input ref={keep} type="checkbox" name="keep" />
          <span>Stay signed in on this browser</span>
        </label>
        <p id="sign-in-problem" class="problem" role="alert">
          {problem}
        </p>
        <button class="button primary" type="submit" disabled={isBusy.value || lockedFor.value > 0}>
          {isBusy.value ? "Signing in…" : "Sign in"}
        </button>
        <p class="dim small">
          Nest printed the token when it first started. This browser gets a token of its own for it,
          which you can end at any time; the one you type is not kept.
        </p>
      </form>
    </main>
  );
}

const GREETING: Record<OutReason, string> = {
  new: "Sign in to talk to your agent.",
  left: "You are signed out.",
  over: "This browser's sign-in has ended. Sign in again to go on where you were.",
};

function wordsFor(result: SignInResult | undefined, seconds: number): string | undefined {
  switch (result?.kind) {
    case "wrong":
      return "That is not a token of this Nest. Check for a missing end, then try again.";
    case "locked":
      return `Locked out for ${seconds} s after too many wrong tokens. The right one works again then.`;
    case "away":
      return "Nest doesn't answer. Check that it runs and that you are online; nothing was lost.";
    case "refused":
      return result.message;
    default:
      return undefined;
  }
}
