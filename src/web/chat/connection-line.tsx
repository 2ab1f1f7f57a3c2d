import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { navigate } from "../app/router.ts";
import { createSession } from "../sessions/sessions.ts";
import { connectionWords } from "./connection-words.ts";
import type { Conversation } from "./conversation.ts";

/** A first connection is only spoken of when it takes longer, ms. */
const PATIENCE_MS = 800;

/** Nothing when all is well; a dot with words when it is not. */
export function ConnectionLine({ of: conversation }: { of: Conversation }) {
  const state = conversation.connection.value;
  const nowMs = useSignal(performance.now());
  const isPatient = useSignal(true);
  useEffect(() => {
    nowMs.value = performance.now();
    isPatient.value = state.kind === "connecting";
    const patience = setTimeout(() => (isPatient.value = false), PATIENCE_MS);
    const timer =
      state.kind === "open"
        ? undefined
        : setInterval(() => (nowMs.value = performance.now()), 1000);
    return () => {
      clearTimeout(patience);
      clearInterval(timer);
    };
  }, [state]);
  const words = connectionWords(state, nowMs.value);
  if (words === undefined || (state.kind === "connecting" && isPatient.value)) return null;
  return (
    <p class="connection" role="status">
      <span class="connection-dot" data-kind={state.kind} />
      <span>{words}</span>
      {state.kind === "away" && (
        <button class="link" onClick={() => conversation.reconnect()}>
          Try now
        </button>
      )}
      {state.kind === "refused" && state.code === "session_not_found" && (
        <>
          <button
            class="link"
            onClick={() =>
              void createSession(conversation.name).then(
                () => conversation.restart(),
                () => {},
              )
            }
          >
            Create it
          </button>
          <button class="link" onClick={() => navigate({ kind: "chat", session: "default" })}>
            Go to default
          </button>
        </>
      )}
    </p>
  );
}
