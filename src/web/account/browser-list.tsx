import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api, apiJson } from "../api/http.ts";
import { signOut } from "./account.ts";

interface Browser {
  readonly id: string;
  readonly name: string;
  readonly created: string;
  readonly expires: string;
  readonly own: boolean;
}

/** Which browsers are signed in, each with a way to end it. */
export function BrowserList() {
  const browsers = useSignal<readonly Browser[] | undefined>(undefined);
  const problem = useSignal("");
  async function read() {
    try {
      browsers.value = (await apiJson<{ browsers: Browser[] }>("api/browsers")).browsers;
    } catch (error) {
      problem.value = (error as Error).message;
    }
  }
  useEffect(() => void read(), []);
  async function end({ id, own }: Browser) {
    if (own) {
      await signOut();
      return;
    }
    try {
      await api(`api/browsers/${encodeURIComponent(id)}`, { method: "DELETE" });
      await read();
    } catch (error) {
      problem.value = (error as Error).message;
    }
  }
  return (
    <>
      <ul class="plain-list">
        {browsers.value?.map((browser) => (
          <li key={browser.id} class="list-row">
            <span class="list-main">
              <span>
                {browser.name}
                {browser.own && <strong> · this one</strong>}
              </span>
              <span class="dim small">
                since {date(browser.created)}, until {date(browser.expires)}
              </span>
            </span>
            <button
              class="button quiet"
              aria-label={`Sign out ${browser.name}`}
              onClick={() => void end(browser)}
            >
              Sign out
            </button>
          </li>
        ))}
      </ul>
      <p class="problem" role="alert">
        {problem.value}
      </p>
    </>
  );
}

function date(text: string): string {
  return new Date(text).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
}
