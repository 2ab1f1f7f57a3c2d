import { Ellipsis, FolderOpen, MessageSquare, Search } from "lucide";
import { Icon } from "../view/icon.tsx";
import { Link } from "./link.tsx";
import { route, session } from "./router.ts";

/** The phone's four places. */
export function BottomBar() {
  const { kind } = route.value;
  const current = (is: boolean) => (is ? ("page" as const) : undefined);
  return (
    <nav class="bottom-bar" aria-label="Places">
      <Link to={{ kind: "chat", session: session.value }} aria-current={current(kind === "chat")}>
        <Icon of={MessageSquare} size={20} />
        Chat
      </Link>
      <Link to={{ kind: "vault" }} aria-current={current(kind === "vault" || kind === "note")}>
        <Icon of={FolderOpen} size={20} />
        Vault
      </Link>
      <Link to={{ kind: "search", query: "" }} aria-current={current(kind === "search")}>
        <Icon of={Search} size={20} />
        Search
      </Link>
      <Link to={{ kind: "more" }} aria-current={current(kind === "more")}>
        <Icon of={Ellipsis} size={20} />
        More
      </Link>
    </nav>
  );
}
