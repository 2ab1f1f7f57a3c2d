import { useSignal } from "@preact/signals";
import { Pencil } from "lucide";
import { useRef } from "preact/hooks";
import { Icon } from "../view/icon.tsx";
import type { Conversation } from "./conversation.ts";

/** The session's name, and what it is about, which can be written over. */
export function ChatHead({ of: conversation }: { of: Conversation }) {
  const isEditing = useSignal(false);
  const field = useRef<HTMLInputElement>(null);
  const title = conversation.title.value;
  return (
    <header class="pane-head">
      {isEditing.value ? (
        <form
          class="head-form"
          onSubmit={(event) => {
            event.preventDefault();
            const text = field.current?.value.trim() ?? "";
            if (text !== "") void conversation.rename(text.slice(0, 200));
            isEditing.value = false;
          }}
        >
          <input
            ref={field}
            class="input"
            aria-label="What this conversation is about"
            defaultValue={title}
            maxLength={200}
            autofocus
            onKeyDown={(event) => {
              if (event.key === "Escape") isEditing.value = false;
            }}
            onBlur={() => (isEditing.value = false)}
          />
        </form>
      ) : (
        <>
          <h1 class="pane-title ellipsis" title={title === "" ? conversation.name : title}>
            {title === "" ? conversation.name : title}
            {title !== "" && <span class="head-session dim"> {conversation.name}</span>}
          </h1>
          <button
            class="icon-button"
            aria-label="Rename this conversation"
            title="Rename"
            onClick={() => {
              isEditing.value = true;
              setTimeout(() => field.current?.select());
            }}
          >
            <Icon of={Pencil} size={16} />
          </button>
        </>
      )}
    </header>
  );
}
