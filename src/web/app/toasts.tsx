import { signal } from "@preact/signals";

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly action?: { readonly label: string; readonly run: () => void };
}

/** Shown for so long, ms; with something to do in it, longer. */
const SHOWN_MS = 6000;
const WITH_ACTION_MS = 15_000;
const MAX_TOASTS = 4;

const toasts = signal<readonly Toast[]>([]);
let next = 0;

/** Says something in passing. What matters is said in its place instead. */
export function toast(text: string, action?: Toast["action"]): void {
  const id = next++;
  toasts.value = [...toasts.value, { id, text, ...(action && { action }) }].slice(-MAX_TOASTS);
  setTimeout(() => dismiss(id), action === undefined ? SHOWN_MS : WITH_ACTION_MS);
}

function dismiss(id: number): void {
  toasts.value = toasts.value.filter((other) => other.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status">
      {toasts.value.map(({ id, text, action }) => (
        <div key={id} class="toast">
          <span>{text}</span>
          {action && (
            <button
              class="link"
              onClick={() => {
                dismiss(id);
                action.run();
              }}
            >
              {action.label}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
