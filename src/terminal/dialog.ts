import type { ChoiceOptions } from "./choice.ts";

/** A question of an extension of pi's (`extension_ui_request`). */
export interface Dialog {
  readonly id: string;
  readonly method: string;
  readonly title: string;
  readonly message: string;
  readonly options: readonly string[];
  readonly prefill: string;
}

export type DialogAnswer = { value: string } | { confirmed: boolean } | { cancelled: true };

/** `undefined` for a request that wants no answer. */
export function dialogOf(request: unknown): Dialog | undefined {
  const { id, method, title, message, options, prefill } = (request ?? {}) as Record<
    string,
    unknown
  >;
  if (typeof id !== "string" || !/^(?:select|confirm|input|editor)$/.test(String(method)))
    return undefined;
  return {
    id,
    method: String(method),
    title: String(title ?? ""),
    message: String(message ?? ""),
    options: Array.isArray(options) ? options.map(String) : [],
    prefill: typeof prefill === "string" ? prefill : "",
  };
}

export function dialogChoice(
  dialog: Dialog,
  answer: (answer: DialogAnswer) => void,
): ChoiceOptions {
  const { method, title, message, options, prefill } = dialog;
  const cancelled = () => answer({ cancelled: true });
  switch (method) {
    case "confirm":
      return {
        title,
        text: message,
        items: [
          { value: "yes", label: "Yes" },
          { value: "no", label: "No" },
        ],
        done: (value) => answer({ confirmed: value === "yes" }),
        cancelled,
      };
    case "select":
      return {
        title,
        // By place: two options may read alike once neutralised.
        items: options.map((label, place) => ({ value: String(place), label })),
        done: (place) => answer({ value: options[Number(place)] ?? "" }),
        cancelled,
      };
    default:
      return {
        title,
        text: message,
        value: prefill,
        done: (value) => answer({ value }),
        cancelled,
      };
  }
}
