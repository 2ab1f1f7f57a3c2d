import { useSignal } from "@preact/signals";
import { ArrowDown } from "lucide";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../view/icon.tsx";
import type { Conversation } from "./conversation.ts";
import { FirstSteps } from "./first-steps.tsx";
import { ItemView } from "./item-view.tsx";
import type { Item } from "./items.ts";
import { rowsOf } from "./rows.ts";
import { ToolGroup } from "./tool-view.tsx";

/** Items drawn at first, and more with each look further up: the rest costs nothing. */
const PAGE = 80;
/** This close to the end counts as being there, px. */
const NEAR = 80;
/** What was said. It follows its end while the reader is there; what he is reading elsewhere never moves. */
export function Timeline({ of: conversation }: { of: Conversation }) {
  const scroller = useRef<HTMLDivElement>(null);
  const column = useRef<HTMLDivElement>(null);
  const lastTop = useRef(0);
  const isAtEnd = useSignal(true);
  const isNew = useSignal(false);
  const shown = useSignal(PAGE);
  const { items } = conversation.transcript;
  const first = Math.max(0, items.length - shown.value);

  const toEnd = () => {
    const element = scroller.current;
    if (element !== null) element.scrollTop = element.scrollHeight;
  };

  useLayoutEffect(() => {
    const element = scroller.current;
    const content = column.current;
    if (element === null || content === null) return;
    let height = 0;
    const observer = new ResizeObserver(() => {
      if (isAtEnd.peek()) toEnd();
      else if (content.scrollHeight > height) isNew.value = true;
      height = content.scrollHeight;
    });
    observer.observe(content);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  // One's own words are always looked at.
  const last = items.at(-1);
  useEffect(() => {
    if (last?.kind === "user" && last.state.peek() === "waiting") {
      isAtEnd.value = true;
      toEnd();
    }
  }, [last]);

  function onScroll() {
    const element = scroller.current;
    if (element === null) return;
    const distance = element.scrollHeight - element.scrollTop - element.clientHeight;
    // Text that grows faster than it is followed is no reason to stop following: only going up is.
    if (distance < NEAR) isAtEnd.value = true;
    else if (element.scrollTop < lastTop.current) isAtEnd.value = false;
    lastTop.current = element.scrollTop;
    if (isAtEnd.value) isNew.value = false;
    if (element.scrollTop < 400 && first > 0) {
      const before = element.scrollHeight - element.scrollTop;
      shown.value += PAGE;
      requestAnimationFrame(() => {
        // Browsers with scroll anchoring have done it already; others need the push.
        const now = element.scrollHeight - before;
        if (Math.abs(element.scrollTop - now) > 1) element.scrollTop = now;
      });
    }
  }

  return (
    <div class="timeline-frame">
      <div
        ref={scroller}
        class="timeline"
        role="log"
        aria-label="What was said"
        aria-live="off"
        tabIndex={0}
        onScroll={onScroll}
      >
        <div ref={column} class="column">
          {first > 0 && <p class="dim small earlier">{first} earlier</p>}
          {conversation.isLoaded.value && items.length === 0 && <FirstSteps of={conversation} />}
          {rowsOf(items.slice(first)).map((row) =>
            "item" in row ? (
              <ItemView key={row.key} item={row.item} conversation={conversation} />
            ) : (
              <ToolGroup key={row.key} tools={row.tools} />
            ),
          )}
          {conversation.isBusy.value && <Working last={last} />}
        </div>
      </div>
      <p class="visually-hidden" role="status">
        {conversation.isBusy.value ? "The agent works" : ""}
      </p>
      {isNew.value && !isAtEnd.value && (
        <button class="pill" onClick={toEnd}>
          <Icon of={ArrowDown} size={15} />
          New below
        </button>
      )}
    </div>
  );
}

/** Between the prompt and the first word there is otherwise nothing to see. */
function Working({ last }: { last: Item | undefined }) {
  const isSeen =
    (last?.kind === "text" && last.text.isOpen.value) ||
    (last?.kind === "thinking" && last.text.isOpen.value) ||
    (last?.kind === "tool" && last.endedMs.value === 0 && last.state.value === "running") ||
    (last?.kind === "dialog" && last.answer.value === undefined);
  return isSeen ? null : (
    <p class="working dim" aria-hidden="true">
      <span class="pulse" />
      working
    </p>
  );
}
