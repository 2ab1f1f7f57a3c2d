import {
  type AgentMessage,
  blocksOf,
  diffOf,
  imageCount,
  targetOf,
  textOf,
} from "./agent-message.ts";
import { neutralize, neutralizeLine } from "./neutralize.ts";

export type Item =
  | { readonly kind: "user"; readonly text: string; readonly images: number }
  | { readonly kind: "text"; text: string }
  | { readonly kind: "thinking"; text: string }
  | ToolItem
  | { readonly kind: "note"; readonly text: string; readonly isError: boolean };

export interface ToolItem {
  readonly kind: "tool";
  readonly id: string;
  readonly name: string;
  readonly target: string;
  state: "running" | "done" | "failed";
  /** The end of it, {@link MAX_OUTPUT_LENGTH} at most. */
  output: string;
  diff?: string;
}

/** Items kept, count; older ones go first. */
export const MAX_ITEMS = 1000;
/** Output kept of one tool call, and text of one block, UTF-16 code units: their ends. */
export const MAX_OUTPUT_LENGTH = 64 * 1024;
export const MAX_TEXT_LENGTH = 512 * 1024;

export interface Queue {
  readonly steering: readonly string[];
  readonly followUp: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * What a terminal shows of a session: built from its messages, kept up with its events. All text in it is neutralised, and
 * it is bounded.
 */
export class Conversation {
  items: Item[] = [];
  /** True once items were let go. */
  isCut = false;
  isBusy = false;
  /** What was said before is known. */
  isLoaded = false;
  queue: Queue = { steering: [], followUp: [] };
  readonly #tools = new Map<string, ToolItem>();
  /** Blocks of the message being written, by their index. */
  #open = new Map<number, Item & { kind: "text" | "thinking" }>();

  /** Begins anew with the whole conversation; what is being written right now stays below it. */
  load(messages: readonly AgentMessage[]): void {
    if (!this.isBusy) this.#open.clear();
    const open = [...this.#open.values()];
    const running = this.items.filter((item) => item.kind === "tool" && item.state === "running");
    this.items = [];
    this.isLoaded = true;
    this.#tools.clear();
    for (const message of messages) this.#addMessage(message);
    for (const item of this.isBusy ? [...open, ...running] : []) {
      if (item.kind !== "tool") this.#push(item);
      else if (!this.#tools.has(item.id)) this.#pushTool(item);
    }
  }

  note(text: string, isError = false): void {
    this.#push({ kind: "note", text: neutralize(text), isError });
  }

  apply(event: { readonly type: string } & Fields): void {
    switch (event.type) {
      case "agent_start":
        this.isBusy = true;
        break;
      case "agent_settled":
        this.#settle();
        break;
      case "message_start":
        this.#begin(event["message"] as AgentMessage);
        break;
      case "message_update":
        this.#write(event["assistantMessageEvent"] as Fields | undefined);
        break;
      case "message_end":
        this.#finish(event["message"] as AgentMessage);
        break;
      case "tool_execution_start":
        this.#tool(event);
        break;
      case "tool_execution_update":
        this.#tool(event).output = tail(
          neutralize(textOf((event["partialResult"] as Fields)?.["content"])),
        );
        break;
      case "tool_execution_end":
        this.#toolEnd(this.#tool(event), event["result"] as Fields, event["isError"] === true);
        break;
      case "queue_update":
        this.queue = {
          steering: lines(event["steering"]),
          followUp: lines(event["followUp"]),
        };
        break;
      case "compaction_start":
        this.note("Compacting the conversation");
        break;
      case "auto_retry_start":
        this.note(`Trying again: ${String(event["errorMessage"])}`);
        break;
      case "agent_exit":
        if (event["interrupted"] === true) this.note("The agent stopped in the middle", true);
        this.#settle();
        break;
      case "extension_error":
        this.note(`An extension failed: ${String(event["error"])}`, true);
        break;
    }
  }

  #settle(): void {
    this.isBusy = false;
    this.#open.clear();
    for (const tool of this.#tools.values()) if (tool.state === "running") tool.state = "failed";
  }

  #begin(message: AgentMessage): void {
    if (message?.role === "assistant") this.#open.clear();
    else if (message?.role === "user") this.#addMessage(message);
  }

  #write(update: Fields | undefined): void {
    const index = update?.["contentIndex"];
    if (typeof index !== "number") return;
    const kind = /^(text|thinking)_delta$/.exec(String(update?.["type"]))?.[1];
    if (kind !== "text" && kind !== "thinking") return;
    const item = this.#open.get(index) ?? this.#openBlock(index, kind);
    // A sequence may come in pieces; alone, each piece is harmless.
    item.text = tail(item.text + neutralize(String(update?.["delta"])), MAX_TEXT_LENGTH);
  }

  #openBlock(index: number, kind: "text" | "thinking") {
    const item = { kind, text: "" };
    this.#open.set(index, item);
    this.#push(item);
    return item;
  }

  /** The whole message: what came as deltas is replaced, since a client that came late has seen only some. */
  #finish(message: AgentMessage): void {
    if (message?.role !== "assistant") {
      if (message?.role === "bashExecution") this.#addMessage(message);
      return;
    }
    blocksOf(message.content).forEach((block, index) => {
      const text = block.type === "text" ? block.text : block.thinking;
      if (typeof text !== "string") return;
      const open = this.#open.get(index);
      if (open !== undefined) open.text = tail(neutralize(text), MAX_TEXT_LENGTH);
      else this.#addBlock(block.type, text);
    });
    this.#open.clear();
    this.#addEnd(message);
  }

  #addMessage(message: AgentMessage): void {
    const { role, content } = message;
    if (role === "user") {
      this.#push({
        kind: "user",
        text: tail(neutralize(textOf(content)), MAX_TEXT_LENGTH),
        images: imageCount(content),
      });
    } else if (role === "assistant") {
      for (const block of blocksOf(content)) {
        if (block.type === "toolCall")
          this.#pushTool(toolItem(String(block.id), String(block.name), block.arguments));
        else
          this.#addBlock(block.type, (block.type === "text" ? block.text : block.thinking) ?? "");
      }
      this.#addEnd(message);
    } else if (role === "toolResult") {
      const tool =
        this.#tools.get(String(message.toolCallId)) ??
        this.#pushTool(toolItem(String(message.toolCallId), String(message.toolName), undefined));
      this.#toolEnd(tool, message as unknown as Fields, message.isError === true);
    } else if (role === "bashExecution") {
      const tool = this.#pushTool(toolItem("", "bash", { command: message.command }));
      tool.output = tail(neutralize(String(message.output ?? "")));
      tool.state = "done";
    }
  }

  #addBlock(type: string, text: string): void {
    if (type !== "text" && type !== "thinking") return;
    if (text.trim() !== "")
      this.#push({ kind: type, text: tail(neutralize(text), MAX_TEXT_LENGTH) });
  }

  #addEnd({ stopReason, errorMessage }: AgentMessage): void {
    if (stopReason === "aborted") this.note("Stopped");
    else if (stopReason === "error") this.note(errorMessage ?? "The model failed", true);
  }

  #tool(event: Fields): ToolItem {
    const id = String(event["toolCallId"]);
    return (
      this.#tools.get(id) ?? this.#pushTool(toolItem(id, String(event["toolName"]), event["args"]))
    );
  }

  #toolEnd(tool: ToolItem, result: Fields | undefined, isError: boolean): void {
    tool.state = isError ? "failed" : "done";
    tool.output = tail(neutralize(textOf(result?.["content"])));
    const diff = diffOf(result?.["details"]);
    if (diff !== undefined) tool.diff = tail(neutralize(diff));
  }

  #pushTool(tool: ToolItem): ToolItem {
    this.#tools.set(tool.id, tool);
    this.#push(tool);
    return tool;
  }

  #push(item: Item): void {
    this.items.push(item);
    if (this.items.length <= MAX_ITEMS) return;
    this.isCut = true;
    // A tenth at once, so that it is not done at every item.
    for (const gone of this.items.splice(0, MAX_ITEMS / 10))
      if (gone.kind === "tool") this.#tools.delete(gone.id);
  }
}

function toolItem(id: string, name: string, args: unknown): ToolItem {
  const target = neutralizeLine(targetOf(args).slice(0, 500));
  return { kind: "tool", id, name: neutralizeLine(name), target, state: "running", output: "" };
}

function lines(value: unknown): string[] {
  return Array.isArray(value) ? value.map((line) => neutralizeLine(String(line))) : [];
}

function tail(text: string, max = MAX_OUTPUT_LENGTH): string {
  if (text.length <= max) return text;
  const cut = text.slice(-max);
  return cut.slice(cut.indexOf("\n") + 1);
}
