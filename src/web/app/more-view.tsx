import { BrowserList } from "../account/browser-list.tsx";
import { signOut } from "../account/account.ts";
import { NotifyChoice } from "../chat/notify-choice.tsx";
import { SessionList } from "../sessions/session-list.tsx";
import { isHelpOpen } from "./help.tsx";
import { SideHead } from "./side-head.tsx";
import { type Theme, theme } from "./theme.ts";

const THEMES: readonly [Theme, string][] = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
];

/** Everything that is set once and then left alone. */
export function MoreView() {
  return (
    <>
      <SideHead title="More" />
      <div class="pane-scroll more">
        <div class="only-phone">
          <SessionList />
        </div>
        <section>
          <h2>Appearance</h2>
          <fieldset class="choices">
            <legend class="visually-hidden">Appearance</legend>
            {THEMES.map(([value, words]) => (
              <label key={value} class="check">
                <input
                  type="radio"
                  name="theme"
                  checked={theme.value === value}
                  onChange={() => (theme.value = value)}
                />
                <span>{words}</span>
              </label>
            ))}
          </fieldset>
        </section>
        <NotifyChoice />
        <section>
          <h2>Signed in</h2>
          <BrowserList />
          <p>
            <button class="button" onClick={() => void signOut()}>
              Sign out here
            </button>
          </p>
        </section>
        <section>
          <h2>Keys</h2>
          <p>
            <button class="button" onClick={() => (isHelpOpen.value = true)}>
              Show all keys
            </button>
          </p>
        </section>
      </div>
    </>
  );
}
