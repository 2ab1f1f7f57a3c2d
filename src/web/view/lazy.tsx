import { signal } from "@preact/signals";
import type { ComponentType } from "preact";

/** A component in a chunk of its own, fetched when it is first shown. */
export function lazy<Props extends object>(
  load: () => Promise<ComponentType<Props>>,
): ComponentType<Props> {
  const loaded = signal<ComponentType<Props> | "failed" | undefined>(undefined);
  let isAsked = false;
  const fetchIt = () => {
    isAsked = true;
    load().then(
      (component) => (loaded.value = component),
      () => (loaded.value = "failed"),
    );
  };
  return function Lazy(props: Props) {
    if (!isAsked) fetchIt();
    const Component = loaded.value;
    if (Component === undefined) return <p class="pane-note dim">Loading…</p>;
    if (Component === "failed")
      return (
        <p class="pane-note">
          This part could not be loaded.{" "}
          <button class="link" onClick={fetchIt}>
            Try again
          </button>
        </p>
      );
    return <Component {...props} />;
  };
}
