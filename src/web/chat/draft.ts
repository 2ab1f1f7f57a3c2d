import { account } from "../account/account.ts";
import { BASE } from "../base.ts";

/**
 * What was typed and is not sent yet, and what was sent and is not accepted yet, kept through reloads in this browser,
 * where it allows that. Signing out forgets it.
 */
export interface Draft {
  load(): string;
  save(text: string): void;
  /** Keeps a prompt until {@link accepted}. */
  sending(text: string): void;
  accepted(text: string): void;
}

const PREFIX = `nest.draft:${BASE.pathname}:`;
/** Longest text kept for one session, UTF-16 code units. */
const MAX_LENGTH = 200_000;

interface Kept {
  readonly text: string;
  readonly sending: readonly string[];
}

export function draftOf(session: string): Draft {
  const key = PREFIX + session;
  const read = (): Kept => {
    try {
      const { text, sending } = JSON.parse(localStorage.getItem(key) ?? "{}") as Partial<Kept>;
      return {
        text: typeof text === "string" ? text : "",
        sending: Array.isArray(sending) ? sending.filter((one) => typeof one === "string") : [],
      };
    } catch {
      return { text: "", sending: [] };
    }
  };
  const write = (kept: Kept) => {
    try {
      const text = JSON.stringify(kept);
      if (kept.text === "" && kept.sending.length === 0) localStorage.removeItem(key);
      else if (text.length <= MAX_LENGTH) localStorage.setItem(key, text);
    } catch {
      // Full or forbidden: the draft lasts as long as the page.
    }
  };
  return {
    load() {
      const { text, sending } = read();
      const all = [...sending, text].filter((one) => one !== "").join("\n\n");
      write({ text: all, sending: [] });
      return all;
    },
    save: (text) => write({ ...read(), text }),
    sending: (text) => write({ text: "", sending: [...read().sending, text] }),
    accepted(text) {
      const kept = read();
      const at = kept.sending.indexOf(text);
      if (at !== -1) write({ ...kept, sending: kept.sending.toSpliced(at, 1) });
    },
  };
}

account.subscribe((now) => {
  // One whose token has ended comes back and goes on where he was.
  if (now.kind !== "out" || now.reason !== "left") return;
  try {
    for (const key of Object.keys(localStorage)) {
      if (key.startsWith(PREFIX)) localStorage.removeItem(key);
    }
  } catch {
    // There is nothing to forget.
  }
});
