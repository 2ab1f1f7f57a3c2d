import { useSignal } from "@preact/signals";
import { ArrowUp, CircleStop, Paperclip, X } from "lucide";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { addShortcut } from "../app/shortcuts.ts";
import { Icon } from "../view/icon.tsx";
import { attach, type Attachment, MAX_IMAGES } from "./attachments.ts";
import { ComposerFoot } from "./composer-foot.tsx";
import type { BusyMode, Conversation } from "./conversation.ts";

/** The part of the screen that the composer may take. */
const MAX_SHARE = 0.5;

/** What is said next, and what sending does just now. */
export function Composer({ of: conversation }: { of: Conversation }) {
  const text = useSignal("");
  const mode = useSignal<BusyMode>("followUp");
  const attachments = useSignal<readonly Attachment[]>([]);
  const problem = useSignal("");
  const isOver = useSignal(false);
  const field = useRef<HTMLTextAreaElement>(null);
  const picker = useRef<HTMLInputElement>(null);
  const isBusy = conversation.isBusy.value;
  const areSending = attachments.value.some(({ state }) => state.value.kind === "sending");
  const canSend = (text.value.trim() !== "" || attachments.value.length > 0) && !areSending;

  const write = (value: string) => {
    text.value = value;
    conversation.draft.save(value);
  };

  useEffect(() => {
    text.value = conversation.draft.load();
    if (matchMedia("(pointer: fine)").matches) field.current?.focus();
  }, [conversation]);
  useEffect(() => {
    stopper = () => {
      if (!conversation.isBusy.peek()) return false;
      void conversation.stop();
      return true;
    };
    return () => (stopper = undefined);
  }, [conversation]);
  // Taken over from elsewhere: an idea, what was queued, an extension.
  const suggested = conversation.suggested.value;
  useEffect(() => {
    if (suggested === undefined) return;
    conversation.suggested.value = undefined;
    const before = text.peek().trim();
    write(before === "" ? suggested : `${before}\n\n${suggested}`);
    field.current?.focus();
  }, [suggested]);
  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.style.height = "auto";
    const most = (visualViewport?.height ?? innerHeight) * MAX_SHARE;
    element.style.height = `${Math.min(element.scrollHeight, most)}px`;
  }, [text.value]);

  function addFiles(files: Iterable<File>) {
    const added = [...files].map(attach);
    if (added.length > 0) attachments.value = [...attachments.value, ...added];
  }

  async function send() {
    if (!canSend) return;
    const said = text.value.trim();
    const ready = attachments.value.flatMap(({ state, isImage }) =>
      state.value.kind === "there" ? [{ path: state.value.path, isImage }] : [],
    );
    if (said === "" && ready.length === 0) return;
    attachments.value = [];
    text.value = "";
    problem.value = "";
    const failure = await conversation.send(
      {
        text: said,
        files: ready.map(({ path }) => path),
        images: ready
          .filter(({ isImage }) => isImage)
          .map(({ path }) => path)
          .slice(0, MAX_IMAGES),
      },
      mode.value,
    );
    if (failure === undefined) return;
    problem.value = `Not sent: ${failure}. Your words are back in the field.`;
    write([said, text.value].filter((part) => part !== "").join("\n\n"));
  }

  return (
    <div
      class="composer"
      data-over={isOver.value}
      onDragOver={(event) => {
        if (event.dataTransfer?.types.includes("Files") !== true) return;
        event.preventDefault();
        isOver.value = true;
      }}
      onDragLeave={() => (isOver.value = false)}
      onDrop={(event) => {
        isOver.value = false;
        if (event.dataTransfer === null || event.dataTransfer.files.length === 0) return;
        event.preventDefault();
        addFiles(event.dataTransfer.files);
      }}
    >
      <Queue of={conversation} />
      <form
        class="composer-box"
        onSubmit={(event) => {
          event.preventDefault();
          void send();
        }}
      >
        <Attachments
          of={attachments.value}
          remove={(gone) => {
            gone.abort.abort();
            attachments.value = attachments.value.filter((other) => other !== gone);
          }}
        />
        <textarea
          ref={field}
          id="composer"
          class="composer-field"
          rows={1}
          aria-label="Prompt"
          placeholder={isBusy ? PLACEHOLDER[mode.value] : "Ask or tell the agent something"}
          value={text.value}
          enterkeyhint={isTouch ? "enter" : "send"}
          onInput={(event) => write(event.currentTarget.value)}
          onPaste={(event) => {
            const files = event.clipboardData?.files;
            if (files === undefined || files.length === 0) return;
            event.preventDefault();
            addFiles(files);
          }}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.isComposing && !isTouch) {
              event.preventDefault();
              void send();
            } else if (event.key === "ArrowUp" && text.value === "") {
              const last = conversation.transcript.lastPrompt;
              if (last === "") return;
              event.preventDefault();
              write(last);
            }
          }}
        />
        <div class="composer-row">
          <input
            ref={picker}
            class="visually-hidden"
            type="file"
            multiple
            tabIndex={-1}
            aria-hidden="true"
            onChange={(event) => {
              addFiles(event.currentTarget.files ?? []);
              event.currentTarget.value = "";
            }}
          />
          <button
            class="icon-button"
            type="button"
            aria-label="Attach files"
            title="Attach files"
            onClick={() => picker.current?.click()}
          >
            <Icon of={Paperclip} />
          </button>
          <span class="composer-space" />
          {isBusy && (
            <>
              <ModeChoice value={mode.value} choose={(chosen) => (mode.value = chosen)} />
              <button class="button" type="button" onClick={() => void conversation.stop()}>
                <Icon of={CircleStop} size={16} />
                Stop
              </button>
            </>
          )}
          <button class="button primary send" type="submit" disabled={!canSend}>
            <Icon of={ArrowUp} size={16} />
            {isBusy ? SEND[mode.value] : "Send"}
          </button>
        </div>
      </form>
      <p class="problem small composer-problem" role="alert">
        {problem.value}
      </p>
      <ComposerFoot of={conversation} />
    </div>
  );
}

const SEND: Record<BusyMode, string> = { followUp: "Queue", steer: "Steer" };
const PLACEHOLDER: Record<BusyMode, string> = {
  followUp: "Said when the agent is done",
  steer: "Said to the agent before its next step",
};
/** The Enter of an on-screen keyboard breaks the line; there is a button to send. */
const isTouch = matchMedia("(pointer: coarse)").matches;

/** What Escape does: the conversation that is shown sets it. */
let stopper: (() => boolean) | undefined;
addShortcut({ keys: "Escape", title: "Stop the agent", run: () => stopper?.() ?? false });

function ModeChoice({ value, choose }: { value: BusyMode; choose: (mode: BusyMode) => void }) {
  return (
    <fieldset class="segments">
      <legend class="visually-hidden">What sending does while the agent works</legend>
      {(["followUp", "steer"] as const).map((mode) => (
        <label key={mode} class="segment" data-on={mode === value}>
          <input
            class="visually-hidden"
            type="radio"
            name="mode"
            checked={mode === value}
            onChange={() => choose(mode)}
          />
          {mode === "followUp" ? "After" : "Now"}
        </label>
      ))}
    </fieldset>
  );
}

function Queue({ of: conversation }: { of: Conversation }) {
  const { steering, followUp } = conversation.queue.value;
  if (steering.length + followUp.length === 0) return null;
  return (
    <section class="queue" aria-label="Waiting">
      <ul class="plain-list">
        {[
          ...steering.map((text) => ({ text, how: "next" })),
          ...followUp.map((text) => ({ text, how: "after" })),
        ].map(({ text, how }, i) => (
          <li key={i} class="queue-row">
            <span class="dim small">{how}</span>
            <span class="ellipsis">{text}</span>
          </li>
        ))}
      </ul>
      <button class="button quiet" onClick={() => void conversation.unqueue()}>
        Take back
      </button>
    </section>
  );
}

function Attachments({
  of: attachments,
  remove,
}: {
  of: readonly Attachment[];
  remove: (attachment: Attachment) => void;
}) {
  if (attachments.length === 0) return null;
  return (
    <ul class="chips">
      {attachments.map((attachment) => {
        const state = attachment.state.value;
        return (
          <li key={attachment.id} class="chip" data-state={state.kind}>
            <Icon of={Paperclip} size={14} />
            <span class="ellipsis">{attachment.name}</span>
            {state.kind === "sending" && <span class="dim">on its way</span>}
            {state.kind === "failed" && <span class="problem">{state.why}</span>}
            <button
              class="chip-remove"
              type="button"
              aria-label={`Remove ${attachment.name}`}
              onClick={() => remove(attachment)}
            >
              <Icon of={X} size={14} />
            </button>
          </li>
        );
      })}
    </ul>
  );
}
