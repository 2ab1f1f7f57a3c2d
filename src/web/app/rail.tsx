import { Command, Ellipsis, Search } from "lucide";
import type { ComponentChildren } from "preact";
import { SessionList } from "../sessions/session-list.tsx";
import { Icon } from "../view/icon.tsx";
import { Mark } from "../view/mark.tsx";
import { palette } from "./commands.ts";
import { Link } from "./link.tsx";
import { Keys } from "./palette.tsx";

/** Left of all on large screens: where one is, and where one can go. */
export function Rail({ tree }: { tree: ComponentChildren }) {
  return (
    <nav class="rail" aria-label="Sessions and vault">
      <header class="rail-head">
        <Mark size={22} />
        <span class="rail-name">Nest</span>
        <button
          class="icon-button"
          aria-label="Commands"
          title="Commands"
          onClick={() => (palette.value = "commands")}
        >
          <Icon of={Command} size={16} />
        </button>
        <Link class="icon-button" to={{ kind: "more" }} aria-label="More" title="More">
          <Icon of={Ellipsis} size={16} />
        </Link>
      </header>
      <Link class="rail-search" to={{ kind: "search", query: "" }}>
        <Icon of={Search} size={16} />
        <span>Search</span>
        <Keys of="Mod+Shift+F" />
      </Link>
      <SessionList />
      <section class="rail-section rail-tree" aria-label="Vault">
        {tree}
      </section>
    </nav>
  );
}
