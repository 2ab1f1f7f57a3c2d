import { useSignal } from "@preact/signals";
import { CircleHelp } from "lucide";
import { useId, useRef } from "preact/hooks";
import { Icon } from "../view/icon.tsx";
import type { Conversation } from "./conversation.ts";
import type { DialogAnswer, DialogItem, DialogRequest } from "./items.ts";

/** A question of the agent's, in the place where it was asked, and then with its answer. */
export function DialogView({
  item,
  conversation,
}: {
  item: DialogItem;
  conversation: Conversation;
}) {
  const problem = useSignal("");
  const { request } = item;
  const answer = item.answer.value;
  const id = useId();
  async function give(given: DialogAnswer) {
    problem.value = (await conversation.answer(request.id, given)) ?? "";
  }
  return (
    <section class="item question" aria-labelledby={id} data-open={answer === undefined}>
      <h2 id={id} class="question-title">
        <Icon of={CircleHelp} size={17} />
        <span>{request.title === "" ? "The agent asks" : request.title}</span>
      </h2>
      {request.message !== "" && <p class="question-text">{request.message}</p>}
      {answer === undefined ? (
        <Asking request={request} give={(given) => void give(given)} labelId={id} />
      ) : (
        <p class="dim">{answerWords(answer)}</p>
      )}
      <p class="problem" role="alert">
        {problem.value}
      </p>
    </section>
  );
}

function answerWords(answer: DialogAnswer): string {
  if ("confirmed" in answer) return answer.confirmed ? "Yes" : "No";
  if ("value" in answer) return `Answered: ${answer.value}`;
  return "Not answered";
}

function Asking({
  request,
  give,
  labelId,
}: {
  request: DialogRequest;
  give: (answer: DialogAnswer) => void;
  labelId: string;
}) {
  const field = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const cancel = (
    <button class="button quiet" type="button" onClick={() => give({ cancelled: true })}>
      Cancel
    </button>
  );
  switch (request.method) {
    case "confirm":
      return (
        <div class="question-actions">
          <button class="button primary" onClick={() => give({ confirmed: true })}>
            Yes
          </button>
          <button class="button" onClick={() => give({ confirmed: false })}>
            No
          </button>
        </div>
      );
    case "select":
      return (
        <div class="question-actions wrap">
          {request.options.map((option, i) => (
            <button key={i} class="button option" onClick={() => give({ value: option })}>
              {option}
            </button>
          ))}
          {cancel}
        </div>
      );
    case "input":
    case "editor":
      return (
        <form
          class="question-form"
          onSubmit={(event) => {
            event.preventDefault();
            give({ value: field.current?.value ?? "" });
          }}
        >
          {request.method === "input" ? (
            <input
              ref={field}
              class="input"
              aria-labelledby={labelId}
              placeholder={request.placeholder}
            />
          ) : (
            <textarea
              ref={field}
              class="textarea mono"
              rows={8}
              aria-labelledby={labelId}
              defaultValue={request.prefill}
            />
          )}
          <div class="question-actions">
            <button class="button primary" type="submit">
              Answer
            </button>
            {cancel}
          </div>
        </form>
      );
  }
}
