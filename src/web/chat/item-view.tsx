import { useSignal } from "@preact/signals";
import { Brain, ChevronRight, Paperclip } from "lucide";
import { Link } from "../app/link.tsx";
import { MarkdownBlocks, Markdown } from "../markdown/markdown.tsx";
import { Icon } from "../view/icon.tsx";
import type { Conversation } from "./conversation.ts";
import { DialogView } from "./dialog-view.tsx";
import type { Item, NoticeItem, TextItem, ThinkingItem, UserItem } from "./items.ts";
import { ToolView } from "./tool-view.tsx";

export function ItemView({ item, conversation }: { item: Item; conversation: Conversation }) {
  switch (item.kind) {
    case "user":
      return <UserView item={item} isOpen={conversation.isOpen.value} />;
    case "text":
      return <TextView item={item} />;
    case "thinking":
      return <ThinkingView item={item} />;
    case "tool":
      return <ToolView item={item} />;
    case "dialog":
      return <DialogView item={item} conversation={conversation} />;
    case "notice":
      return <NoticeView item={item} conversation={conversation} />;
    case "summary":
      return (
        <details class="item fold">
          <summary class="line">
            <Icon of={ChevronRight} size={14} />
            <span>The conversation before this was summed up</span>
          </summary>
          <div class="fold-body">
            <Markdown source={item.text} />
          </div>
        </details>
      );
  }
}

/** Written behind the words by the composer. */
const ATTACHED = /\n\nAttached: (inbox\/[^\n]+)$/;

function UserView({ item, isOpen }: { item: UserItem; isOpen: boolean }) {
  const attached = ATTACHED.exec(`\n\n${item.text}`);
  const text = attached === null ? item.text : item.text.slice(0, -attached[0].length).trimEnd();
  return (
    <article class="item said" data-state={item.state.value}>
      <h2 class="visually-hidden">You</h2>
      {text !== "" && <p class="said-text">{text}</p>}
      {attached !== null && (
        <ul class="chips">
          {(attached[1] ?? "").split(", ").map((path) => (
            <li key={path}>
              <Link class="chip" to={{ kind: "note", path }}>
                <Icon of={Paperclip} size={14} />
                {path.replace(/^inbox\//, "")}
              </Link>
            </li>
          ))}
        </ul>
      )}
      {item.state.value === "waiting" && !isOpen ? (
        <p class="said-time dim small">waiting for the connection</p>
      ) : (
        <Time of={item.timeMs} />
      )}
    </article>
  );
}

function Time({ of }: { of: number }) {
  if (of === 0) return null;
  const date = new Date(of);
  return (
    <time class="said-time dim small" dateTime={date.toISOString()} title={date.toLocaleString()}>
      {date.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit" })}
    </time>
  );
}

function TextView({ item }: { item: TextItem }) {
  const isOpen = item.text.isOpen.value;
  return (
    <article class={isOpen ? "item prose open" : "item prose"}>
      <h2 class="visually-hidden">The agent</h2>
      <MarkdownBlocks blocks={item.text.blocks.value} isOpen={isOpen} />
    </article>
  );
}

function ThinkingView({ item }: { item: ThinkingItem }) {
  const isUnfolded = useSignal(false);
  const isOpen = item.text.isOpen.value;
  const { value: blocks } = item.text.blocks;
  const start = item.text.text.trimStart().split("\n")[0]?.slice(0, 160) ?? "";
  return (
    <details
      class="item fold thinking"
      onToggle={(event) => (isUnfolded.value = event.currentTarget.open)}
    >
      <summary class="line">
        <Icon of={Brain} size={15} />
        <span class="line-verb">{isOpen ? "Thinking" : "Thought"}</span>
        {!isUnfolded.value && <span class="line-target ellipsis">{start}</span>}
      </summary>
      <div class="fold-body">{isUnfolded.value && <MarkdownBlocks blocks={blocks} />}</div>
    </details>
  );
}

function NoticeView({ item, conversation }: { item: NoticeItem; conversation: Conversation }) {
  const isLast = conversation.transcript.items.at(-1) === item;
  const problem = useSignal("");
  return (
    <div class="item notice" data-tone={item.tone}>
      <p>{item.text}</p>
      {item.canRetry && isLast && !conversation.isBusy.value && (
        <button
          class="button"
          onClick={async () => (problem.value = (await conversation.retry(item.promptId)) ?? "")}
        >
          Try again
        </button>
      )}
      {problem.value !== "" && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
    </div>
  );
}
