import { PanelRightClose } from "lucide";
import type { ComponentChildren } from "preact";
import { Icon } from "../view/icon.tsx";
import { closeSide } from "./router.ts";

/** The head of what stands beside the conversation: its name, its own buttons, and the way out. */
export function SideHead({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <header class="pane-head">
      <h1 class="pane-title ellipsis" title={title}>
        {title}
      </h1>
      {children}
      <button class="icon-button side-close" aria-label="Close this pane" onClick={closeSide}>
        <Icon of={PanelRightClose} />
      </button>
    </header>
  );
}
