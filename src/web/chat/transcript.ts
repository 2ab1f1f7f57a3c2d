import { signal } from "@preact/signals";
import { contentText, type Fields, fieldsOf, listOf, numberOf, textOf, textsOf } from "./fields.ts";
import type {
  DialogAnswer,
  DialogItem,
  DialogRequest,
  Item,
  NoticeItem,
  ToolItem,
  UserItem,
} from "./items.ts";
import { StreamedText } from "./streamed-text.ts";

/** Output kept of one tool, UTF-16 code units: its end, as a terminal would. */
const MAX_OUTPUT = 200_000;

/** A conversation as it is shown: made of pi's messages, and carried on by its events. */
export class Transcript {
  readonly #items = signal<readonly Item[]>([]);
  readonly #tools = new Map<string, ToolItem>();
  readonly #dialogs = new Map<string, DialogItem>();
  /** Parts of the message that is being written, by their place in it. */
  #parts = new Map<number, StreamedText>();
  #nextId = 1;

  get items(): readonly Item[] {
    return this.#items.value;
  }

  /**
   * Begins anew with the messages of the conversation; what waits to be sent, and questions, stay.
   *
   * @param interrupted - prompts that were cut off, each with what had been written by then
   */
  load(messages: readonly unknown[], isBusy: boolean, interrupted: readonly unknown[] = []): void {
    const kept = this.#items
      .peek()
      .filter(
        (item) =>
          (item.kind === "user" && item.state.peek() !== "there") ||
          (item.kind === "dialog" && item.answer.peek() === undefined),
      );
    this.#tools.clear();
    this.#parts = new Map();
    this.#items.value = [];
    const made: Item[] = [];
    for (const message of messages) this.#addMessage(fieldsOf(message), made);
    for (const tool of this.#tools.values()) {
      if (tool.state.peek() === "running" && !isBusy) tool.state.value = "stopped";
    }
    const cutOff = interrupted.map(fieldsOf);
    for (const prompt of cutOff) this.#addCutOff(prompt, made);
    if (!isBusy && cutOff.length === 0 && wasCutOff(messages))
      made.push(this.#notice("bad", CUT_OFF, true));
    this.#items.value = [...made, ...kept];
  }

  apply(event: Fields): void {
    switch (event["type"]) {
      case "message_start":
        this.#messageStart(fieldsOf(event["message"]));
        break;
      case "message_update":
        this.#messageUpdate(fieldsOf(event["assistantMessageEvent"]));
        break;
      case "message_end":
        this.#messageEnd(fieldsOf(event["message"]));
        break;
      case "tool_execution_start":
        this.#toolStart(event);
        break;
      case "tool_execution_update":
        this.#toolOutput(event, event["partialResult"]);
        break;
      case "tool_execution_end":
        this.#toolEnd(event);
        break;
      case "extension_ui_request":
        this.#ask(event);
        break;
      case "extension_ui_resolved":
        this.#resolved(event);
        break;
      case "agent_settled":
        this.#settle();
        break;
      case "agent_exit":
      case "agent_stopped":
        this.#settle();
        if (event["interrupted"] === true) this.#cutOff();
        break;
      case "prompt_interrupted":
        this.#settle();
        this.#cutOff(textOf(event["prompt"]));
        break;
      case "auto_retry_start":
        this.#add(
          this.#notice(
            "info",
            `The model failed (${textOf(event["errorMessage"])}). Trying again, ${numberOf(event["attempt"])} of ${numberOf(event["maxAttempts"])}.`,
          ),
        );
        break;
      case "compaction_end":
        this.#compacted(event);
        break;
      case "extension_error":
        this.#add(this.#notice("bad", `An extension failed: ${textOf(event["error"])}`));
        break;
    }
  }

  /** A prompt that was handed over and is not yet seen in the conversation. */
  addWaiting(text: string): UserItem {
    const item = this.#user(text, Date.now(), "waiting");
    this.#add(item);
    return item;
  }

  remove(item: Item): void {
    this.#items.value = this.#items.peek().filter((other) => other !== item);
  }

  /** Questions that were open when we came. */
  askAgain(requests: readonly unknown[]): void {
    for (const request of requests) this.#ask(fieldsOf(request));
  }

  /** What the owner said last. */
  get lastPrompt(): string {
    const last = this.#items.peek().findLast((item) => item.kind === "user");
    return last?.kind === "user" ? last.text : "";
  }

  #add(...items: Item[]): void {
    // What waits to be sent stays below what happens before it.
    const all = this.#items.peek();
    const firstWaiting = all.findIndex(
      (item) => item.kind === "user" && item.state.peek() !== "there",
    );
    const areWaiting = items.every((item) => item.kind === "user" && item.state.peek() !== "there");
    this.#items.value =
      firstWaiting === -1 || areWaiting
        ? [...all, ...items]
        : [...all.slice(0, firstWaiting), ...items, ...all.slice(firstWaiting)];
  }

  #messageStart(message: Fields): void {
    if (message["role"] === "assistant") this.#parts = new Map();
    if (message["role"] !== "user") return;
    const text = contentText(message["content"]);
    const waiting = this.#items
      .peek()
      .filter((item) => item.kind === "user" && item.state.peek() === "waiting");
    const same =
      waiting.find((item) => item.kind === "user" && item.text === text) ??
      (waiting.length === 1 ? waiting[0] : undefined);
    if (same !== undefined) this.remove(same);
    this.#add(this.#user(text, timeOf(message), "there"));
  }

  #messageUpdate(update: Fields): void {
    const index = numberOf(update["contentIndex"]);
    switch (update["type"]) {
      case "text_start":
      case "thinking_start":
        this.#part(index, update["type"] === "text_start" ? "text" : "thinking");
        break;
      case "text_delta":
      case "thinking_delta":
        this.#part(index, update["type"] === "text_delta" ? "text" : "thinking").append(
          textOf(update["delta"]),
        );
        break;
      case "text_end":
      case "thinking_end":
        this.#part(index, update["type"] === "text_end" ? "text" : "thinking").finish(
          textOf(update["content"]),
        );
        break;
      case "toolcall_start":
        this.#tool(textOf(update["id"]), textOf(update["toolName"]), {}, "writing");
        break;
      case "toolcall_end": {
        const call = fieldsOf(update["toolCall"]);
        this.#tool(
          textOf(call["id"]),
          textOf(call["name"]),
          fieldsOf(call["arguments"]),
          "writing",
        ).args.value = fieldsOf(call["arguments"]);
        break;
      }
    }
  }

  /** The message is complete, whatever was missed of it. */
  #messageEnd(message: Fields): void {
    if (message["role"] === "toolResult") {
      this.#toolResult(message);
      return;
    }
    if (message["role"] !== "assistant") {
      if (message["role"] !== "user") {
        const made: Item[] = [];
        this.#addMessage(message, made);
        if (made.length > 0) this.#add(...made);
      }
      return;
    }
    for (const [i, part] of listOf(message["content"]).entries()) {
      const { type, text, thinking, id, name, arguments: args } = fieldsOf(part);
      if (type === "text" || type === "thinking") {
        const all = textOf(type === "text" ? text : thinking);
        if (all !== "" || this.#parts.has(i)) this.#part(i, type).finish(all);
      } else if (type === "toolCall") {
        this.#tool(textOf(id), textOf(name), fieldsOf(args), "writing").args.value = fieldsOf(args);
      }
    }
    for (const part of this.#parts.values()) part.finish();
    this.#parts = new Map();
    const notice = this.#noticeOf(message);
    if (notice !== undefined) this.#add(notice);
  }

  /** @param made - items are added here */
  #addMessage(message: Fields, made: Item[]): void {
    const timeMs = timeOf(message);
    switch (message["role"]) {
      case "user":
        made.push(this.#user(contentText(message["content"]), timeMs, "there"));
        break;
      case "assistant": {
        for (const part of listOf(message["content"])) {
          const { type, text, thinking, id, name, arguments: args } = fieldsOf(part);
          if (type === "text" && textOf(text) !== "")
            made.push({ kind: "text", ...this.#base(timeMs), text: whole(textOf(text)) });
          else if (type === "thinking" && textOf(thinking) !== "")
            made.push({ kind: "thinking", ...this.#base(timeMs), text: whole(textOf(thinking)) });
          else if (type === "toolCall") {
            const tool = this.#newTool(textOf(id), textOf(name), fieldsOf(args), "running", timeMs);
            made.push(tool);
          }
        }
        const notice = this.#noticeOf(message);
        if (notice !== undefined) made.push(notice);
        break;
      }
      case "toolResult":
        this.#toolResult(message);
        break;
      case "bashExecution": {
        const tool = this.#newTool(
          `bash-${this.#nextId}`,
          "bash",
          { command: message["command"] },
          numberOf(message["exitCode"]) === 0 ? "done" : "failed",
          timeMs,
        );
        tool.output.value = textOf(message["output"]);
        made.push(tool);
        break;
      }
      case "compactionSummary":
      case "branchSummary":
        made.push({ kind: "summary", ...this.#base(timeMs), text: textOf(message["summary"]) });
        break;
      case "custom":
        if (message["display"] === true)
          made.push({
            kind: "text",
            ...this.#base(timeMs),
            text: whole(contentText(message["content"])),
          });
        break;
    }
  }

  /** What pi did not keep of a turn that was cut off, and the offer to run it again. */
  #addCutOff({ prompt, message, partial }: Fields, made: Item[]): void {
    const last = made.findLast((item) => item.kind === "user");
    if (last?.kind !== "user" || last.text !== textOf(message))
      made.push(this.#user(textOf(message), 0, "there"));
    const written = textOf(partial);
    const isKept = made.some((item) => item.kind === "text" && item.text.text.includes(written));
    if (written !== "" && !isKept)
      made.push({ kind: "text", ...this.#base(0), text: whole(written) });
    made.push(this.#notice("bad", CUT_OFF, true, textOf(prompt)));
  }

  /** Said once, however many events tell of it. */
  #cutOff(promptId?: string): void {
    const items = this.#items.peek();
    const last = items.findLast((item) => item.kind !== "user" || item.state.peek() === "there");
    const isSaid = last?.kind === "notice" && last.text === CUT_OFF;
    if (isSaid && (promptId === undefined || last.promptId === promptId)) return;
    if (isSaid && last.promptId === undefined) this.remove(last);
    this.#add(this.#notice("bad", CUT_OFF, true, promptId));
  }

  #noticeOf({ stopReason, errorMessage }: Fields): NoticeItem | undefined {
    if (stopReason === "aborted") return this.#notice("info", "Stopped.");
    if (stopReason === "error")
      return this.#notice("bad", textOf(errorMessage) || "The model failed.", true);
    if (stopReason === "length")
      return this.#notice("info", "The answer reached the model's limit and ends here.");
    return undefined;
  }

  #part(index: number, kind: "text" | "thinking"): StreamedText {
    let text = this.#parts.get(index);
    if (text === undefined) {
      text = new StreamedText();
      this.#parts.set(index, text);
      this.#add({ kind, ...this.#base(Date.now()), text });
    }
    return text;
  }

  #tool(callId: string, name: string, args: Fields, state: "writing" | "running"): ToolItem {
    const found = this.#tools.get(callId);
    if (found !== undefined) return found;
    const tool = this.#newTool(callId, name, args, state, Date.now());
    this.#add(tool);
    return tool;
  }

  #toolStart(event: Fields): void {
    const args = fieldsOf(event["args"]);
    const tool = this.#tool(
      textOf(event["toolCallId"]),
      textOf(event["toolName"]),
      args,
      "running",
    );
    tool.args.value = args;
    tool.state.value = "running";
    tool.startedMs.value = Date.now();
  }

  #toolOutput(event: Fields, result: unknown): void {
    const tool = this.#tools.get(textOf(event["toolCallId"]));
    if (tool === undefined) return;
    const { content, details } = fieldsOf(result);
    tool.output.value = contentText(content).slice(-MAX_OUTPUT);
    const { patch } = fieldsOf(details);
    if (typeof patch === "string") tool.patch.value = patch.slice(0, MAX_OUTPUT);
  }

  #toolEnd(event: Fields): void {
    const tool = this.#tools.get(textOf(event["toolCallId"]));
    if (tool === undefined) return;
    this.#toolOutput(event, event["result"]);
    tool.endedMs.value = Date.now();
    tool.state.value = outcomeOf(event, tool);
  }

  /** The result as a message of the conversation: what a late-comer has of a tool. */
  #toolResult(message: Fields): void {
    const tool = this.#tools.get(textOf(message["toolCallId"]));
    if (tool === undefined) return;
    this.#toolOutput(message, message);
    tool.state.value = outcomeOf(message, tool);
  }

  #settle(): void {
    for (const tool of this.#tools.values()) {
      const state = tool.state.peek();
      if (state === "running" || state === "writing") tool.state.value = "stopped";
    }
    for (const part of this.#parts.values()) part.finish();
    this.#parts = new Map();
  }

  #ask(event: Fields): void {
    const { id, method, title, message, options, placeholder, prefill } = event;
    if (method === "notify") {
      this.#add(
        this.#notice(event["notifyType"] === "error" ? "bad" : "info", textOf(event["message"])),
      );
      return;
    }
    if (
      typeof id !== "string" ||
      this.#dialogs.has(id) ||
      (method !== "select" && method !== "confirm" && method !== "input" && method !== "editor")
    )
      return;
    const request: DialogRequest = {
      id,
      method,
      title: textOf(title),
      message: textOf(message),
      options: textsOf(options),
      placeholder: textOf(placeholder),
      prefill: textOf(prefill),
    };
    const item: DialogItem = {
      kind: "dialog",
      ...this.#base(Date.now()),
      request,
      answer: signal(undefined),
    };
    this.#dialogs.set(id, item);
    this.#add(item);
  }

  #resolved({ id, value, confirmed }: Fields): void {
    const item = this.#dialogs.get(textOf(id));
    if (item === undefined) return;
    item.answer.value =
      typeof value === "string"
        ? { value }
        : typeof confirmed === "boolean"
          ? { confirmed }
          : ({ cancelled: true } satisfies DialogAnswer);
  }

  #compacted(event: Fields): void {
    const error = textOf(event["errorMessage"]);
    if (error !== "") this.#add(this.#notice("info", error));
    else if (event["aborted"] !== true) {
      const { summary } = fieldsOf(event["result"]);
      this.#add({ kind: "summary", ...this.#base(Date.now()), text: textOf(summary) });
    }
  }

  #base(timeMs: number) {
    return { id: this.#nextId++, timeMs };
  }

  #user(text: string, timeMs: number, state: "there" | "waiting"): UserItem {
    return { kind: "user", ...this.#base(timeMs), text, state: signal(state) };
  }

  #notice(tone: "info" | "bad", text: string, canRetry = false, promptId?: string): NoticeItem {
    return {
      kind: "notice",
      ...this.#base(Date.now()),
      tone,
      text,
      canRetry,
      ...(promptId && { promptId }),
    };
  }

  #newTool(
    callId: string,
    name: string,
    args: Fields,
    state: ToolItem["state"]["value"],
    timeMs: number,
  ): ToolItem {
    const tool: ToolItem = {
      kind: "tool",
      ...this.#base(timeMs),
      callId,
      name,
      args: signal(args),
      output: signal(""),
      patch: signal<string | undefined>(undefined),
      state: signal(state),
      startedMs: signal(0),
      endedMs: signal(0),
    };
    this.#tools.set(callId, tool);
    return tool;
  }
}

const CUT_OFF = "This turn was cut off. What is above was kept; nothing runs any more.";

/** How pi ends the output of a tool that was stopped. */
const ABORTED = /(?:^|\n)\w+ aborted\s*$/;

function outcomeOf({ isError }: Fields, { output }: ToolItem): ToolItem["state"]["value"] {
  if (isError !== true) return "done";
  return ABORTED.test(output.peek()) ? "stopped" : "failed";
}

function whole(text: string): StreamedText {
  const streamed = new StreamedText();
  streamed.finish(text);
  return streamed;
}

function timeOf({ timestamp }: Fields): number {
  return numberOf(timestamp);
}

/** The last message is a question, or a tool's result that nobody went on from. */
function wasCutOff(messages: readonly unknown[]): boolean {
  const { role, stopReason } = fieldsOf(messages.at(-1));
  return (
    role === "user" || role === "toolResult" || (role === "assistant" && stopReason === "toolUse")
  );
}
