import { account } from "../account/account.ts";
import { SignIn } from "../account/sign-in.tsx";
import { ChatPane } from "../chat/chat-pane.tsx";
import { lazy } from "../view/lazy.tsx";
import { BottomBar } from "./bottom-bar.tsx";
import { Divider, sideWidth } from "./divider.tsx";
import { Help } from "./help.tsx";
import { MoreView } from "./more-view.tsx";
import { Palette } from "./palette.tsx";
import { Rail } from "./rail.tsx";
import { route, session, side, type Side } from "./router.ts";
import { Toasts } from "./toasts.tsx";

const VaultTree = lazy<{ isPage?: boolean }>(
  async () => (await import("../vault/tree.tsx")).VaultTree,
);
const NotePane = lazy<{ path: string }>(
  async () => (await import("../vault/note-pane.tsx")).NotePane,
);
const SearchView = lazy<{ query: string }>(
  async () => (await import("../vault/search-view.tsx")).SearchView,
);

/** The whole of it: who is not signed in sees the form and nothing else. */
export function App() {
  const { value } = account;
  if (value.kind === "out") return <SignIn reason={value.reason} />;
  const beside = side.value;
  return (
    <>
      <div
        class="app"
        data-view={route.value.kind}
        data-side={beside !== undefined}
        style={{ "--side-width": `${sideWidth()}px` }}
      >
        <a
          class="skip"
          href="#composer"
          onClick={(event) => {
            event.preventDefault();
            document.getElementById("composer")?.focus();
          }}
        >
          Skip to the prompt
        </a>
        <Rail tree={<VaultTree />} />
        <main class="panes">
          <section class="pane chat-pane" aria-label="Conversation">
            <ChatPane key={`${value.kept.token}/${session.value}`} name={session.value} />
          </section>
          {beside && (
            <section class="pane side-pane" aria-label="Beside the conversation">
              <Divider />
              <SideView of={beside} />
            </section>
          )}
          <section class="pane vault-pane" aria-label="Vault">
            {route.value.kind === "vault" && <VaultTree isPage />}
          </section>
        </main>
        <BottomBar />
      </div>
      <Palette />
      <Help />
      <Toasts />
    </>
  );
}

function SideView({ of }: { of: Side }) {
  switch (of.kind) {
    case "note":
      return <NotePane key={of.path} path={of.path} />;
    case "search":
      return <SearchView query={of.query} />;
    case "more":
      return <MoreView />;
  }
}
