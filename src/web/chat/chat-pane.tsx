import { useEffect, useMemo } from "preact/hooks";
import { ChatHead } from "./chat-head.tsx";
import { Composer } from "./composer.tsx";
import { ConnectionLine } from "./connection-line.tsx";
import { Conversation } from "./conversation.ts";
import { Timeline } from "./timeline.tsx";

/** One session's conversation: its head, what was said, and what to say next. */
export function ChatPane({ name }: { name: string }) {
  const conversation = useMemo(() => new Conversation(name), [name]);
  useEffect(() => () => conversation[Symbol.dispose](), [conversation]);
  const isBusy = conversation.isBusy.value;
  useEffect(() => {
    document.title = `${isBusy ? "… " : ""}${name} · Nest`;
  }, [name, isBusy]);
  return (
    <>
      <ChatHead of={conversation} />
      <ConnectionLine of={conversation} />
      <Timeline of={conversation} />
      <Composer of={conversation} />
    </>
  );
}
