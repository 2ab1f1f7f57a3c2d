import { signal } from "@preact/signals";
import { Copy } from "lucide";
import type { ComponentChildren } from "preact";
import { toast } from "../app/toasts.tsx";
import { Icon } from "../view/icon.tsx";

type Highlight = (code: string, language: string) => ComponentChildren;

/** Colours come with the first code block that is complete. */
const highlight = signal<Highlight | undefined>(undefined);
let isAsked = false;

/** Longer code stays in one colour, UTF-16 code units. */
const MAX_LENGTH = 60_000;

/** Code as it was written, with its language and a way to take it along. */
export function CodeBlock({
  text,
  language,
  isOpen = false,
}: {
  text: string;
  language: string;
  /** Still being written: colours would be wrong and costly. */
  isOpen?: boolean;
}) {
  const name = /^[\w+#.-]{1,24}/.exec(language)?.[0]?.toLowerCase() ?? "";
  return (
    <figure class="code">
      <figcaption class="code-head">
        <span class="code-name">{name === "" ? "text" : name}</span>
        <button class="code-copy" onClick={() => void copyText(text)}>
          <Icon of={Copy} size={14} />
          Copy
        </button>
      </figcaption>
      <pre tabIndex={0}>
        <code>{isOpen || name === "" ? text : <Coloured text={text} language={name} />}</code>
      </pre>
    </figure>
  );
}

/** Code in colours, once they are loaded. */
export function Coloured({ text, language }: { text: string; language: string }) {
  if (text.length > MAX_LENGTH) return <>{text}</>;
  if (!isAsked) {
    isAsked = true;
    import("./highlight.tsx").then(
      (loaded) => (highlight.value = loaded.highlight),
      () => (isAsked = false),
    );
  }
  return <>{highlight.value?.(text, language) ?? text}</>;
}

/** Puts text into the clipboard, and says so. */
export async function copyText(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("This browser did not let Nest copy. Select the text and copy it by hand.");
  }
}
