import { useSignal } from "@preact/signals";
import { CircleStop, Plus } from "lucide";
import { useEffect, useRef } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { navigate, route, session } from "../app/router.ts";
import { toast } from "../app/toasts.tsx";
import { Icon } from "../view/icon.tsx";
import {
  canManage,
  createSession,
  refreshSessions,
  SESSION_NAME,
  sessions,
  stopSession,
} from "./sessions.ts";

/** How often the list is read again while the page is seen, ms. */
const REFRESH_MS = 20_000;

/** The conversations, and a new one. */
export function SessionList() {
  const isAdding = useSignal(false);
  useEffect(() => {
    void refreshSessions();
    const timer = setInterval(() => {
      if (document.visibilityState === "visible" && canManage.peek()) void refreshSessions();
    }, REFRESH_MS);
    return () => clearInterval(timer);
  }, []);
  const current = session.value;
  const listed = sessions.value.some(({ name }) => name === current)
    ? sessions.value
    : [...sessions.value, { name: current }];
  return (
    <section class="rail-section" aria-label="Sessions">
      <div class="rail-title-row">
        <h2 class="rail-title">Sessions</h2>
        {canManage.value && (
          <button
            class="icon-button small"
            aria-label="New session"
            title="New session"
            onClick={() => (isAdding.value = true)}
          >
            <Icon of={Plus} size={16} />
          </button>
        )}
      </div>
      <ul class="rail-list">
        {listed.map(({ name, state, running, configured }) => (
          <li key={name} class="rail-item">
            <Link
              class="rail-link"
              to={{ kind: "chat", session: name }}
              aria-current={name === current && route.value.kind === "chat" ? "page" : undefined}
            >
              <span class="ellipsis">{name}</span>
              {state === "busy" && (
                <span class="busy-dot">
                  <span class="visually-hidden">works</span>
                </span>
              )}
            </Link>
            {canManage.value && (running === true || configured === false) && (
              <button
                class="icon-button small reveal"
                aria-label={`${configured === false ? "End" : "Stop"} ${name}`}
                title={configured === false ? "End this session; its words stay" : "Stop its agent"}
                onClick={() => void stop(name)}
              >
                <Icon of={CircleStop} size={15} />
              </button>
            )}
          </li>
        ))}
      </ul>
      {isAdding.value && <NewSession onDone={() => (isAdding.value = false)} />}
    </section>
  );
}

async function stop(name: string): Promise<void> {
  try {
    await stopSession(name);
  } catch (error) {
    toast(`"${name}" was not stopped: ${(error as Error).message}`);
  }
}

function NewSession({ onDone }: { onDone: () => void }) {
  const field = useRef<HTMLInputElement>(null);
  const problem = useSignal("");
  useEffect(() => field.current?.focus(), []);
  return (
    <form
      class="rail-form"
      onSubmit={async (event) => {
        event.preventDefault();
        const name = field.current?.value.trim().toLowerCase().replaceAll(/\s+/g, "-") ?? "";
        if (!SESSION_NAME.test(name)) {
          problem.value = "Small letters, digits, - and _, beginning with a letter or digit.";
          return;
        }
        try {
          await createSession(name);
          onDone();
          navigate({ kind: "chat", session: name });
        } catch (error) {
          problem.value = (error as Error).message;
        }
      }}
    >
      <input
        ref={field}
        class="input"
        aria-label="Name of the new session"
        placeholder="name"
        autocapitalize="off"
        spellcheck={false}
        maxLength={64}
        onKeyDown={(event) => {
          if (event.key === "Escape") onDone();
        }}
      />
      <button class="button" type="submit">
        Create
      </button>
      <p class="problem small" role="alert">
        {problem.value}
      </p>
    </form>
  );
}
