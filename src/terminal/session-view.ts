import { AttachClient, type AttachClientOptions } from "../attach/client.ts";
import type { ClientState } from "../attach/client-state.ts";
import type { ClientCommand } from "../attach/outbox.ts";
import type { AttachedFrame, EventFrame, ResponseFrame } from "../attach/protocol.ts";
import type { AgentMessage } from "./agent-message.ts";
import { Conversation } from "./conversation.ts";
import { type Dialog, dialogOf } from "./dialog.ts";
import { neutralizeLine } from "./neutralize.ts";
import type { Status } from "./status-line.ts";

export interface SessionViewOptions {
  readonly client: Omit<AttachClientOptions, "onState" | "onAttached" | "onEvent">;
  /** Something to draw has changed. */
  readonly changed: () => void;
  readonly stateChanged: (state: ClientState) => void;
  /** The conversation was read; its prompts, oldest first. */
  readonly loaded: (prompts: readonly string[]) => void;
}

type Fields = Readonly<Record<string, unknown>>;

/** One session as the terminal sees it: its connection, its conversation, its open dialogs, its numbers. */
export class SessionView implements Disposable {
  readonly client: AttachClient;
  readonly conversation = new Conversation();
  readonly status: Status;
  dialogs: Dialog[] = [];
  /** Commands that pi's extensions bring. */
  agentCommands: { name: string; description?: string }[] = [];
  readonly #options: SessionViewOptions;

  constructor(options: SessionViewOptions) {
    this.#options = options;
    this.status = {
      session: options.client.session ?? "default",
      isScripted: false,
      state: { kind: "connecting" },
    };
    this.client = new AttachClient({
      ...options.client,
      onState: (state) => {
        this.status.state = state;
        options.stateChanged(state);
      },
      onAttached: (frame) => this.#attached(frame),
      onEvent: (frame) => this.#event(frame),
    });
  }

  /** A command whose answer is shown if it is a refusal, and whose failure to arrive is said. */
  async ask(command: ClientCommand): Promise<ResponseFrame | undefined> {
    try {
      const response = await this.client.request(command);
      if (!response.success) this.conversation.note(response.error ?? "Refused", true);
      return response;
    } catch (error) {
      this.conversation.note((error as Error).message, true);
      return undefined;
    } finally {
      this.#options.changed();
    }
  }

  [Symbol.dispose](): void {
    this.client.close();
  }

  #attached({ state, scripted, dialogs, resync }: AttachedFrame): void {
    const wasCutOff = resync && this.conversation.isBusy && state === "idle";
    this.conversation.isBusy = state === "busy";
    this.status.isScripted = scripted === true;
    this.dialogs = (dialogs ?? []).map(dialogOf).filter((dialog) => dialog !== undefined);
    if (!this.conversation.isLoaded || resync) void this.#load(wasCutOff);
    void this.#refresh();
    this.#options.changed();
  }

  /** @param wasCutOff - Nest restarted while the agent was writing */
  async #load(wasCutOff: boolean): Promise<void> {
    const response = await this.#quietly({ type: "get_messages" });
    const { messages } = (response?.data ?? {}) as { messages?: AgentMessage[] };
    if (!Array.isArray(messages)) return;
    this.conversation.load(messages);
    if (wasCutOff)
      this.conversation.note(
        "Nest restarted while the agent was at work. What it wrote is not kept",
        true,
      );
    this.#options.loaded(
      this.conversation.items.filter((item) => item.kind === "user").map(({ text }) => text),
    );
    const commands = await this.#quietly({ type: "get_commands" });
    const list = (commands?.data as { commands?: unknown } | undefined)?.commands;
    if (Array.isArray(list))
      this.agentCommands = list.filter(({ name }) => typeof name === "string");
    this.#options.changed();
  }

  /** Model, context and cost. */
  async #refresh(): Promise<void> {
    const [state, stats] = await Promise.all([
      this.#quietly({ type: "get_state" }),
      this.#quietly({ type: "get_session_stats" }),
    ]);
    const { model } = (state?.data ?? {}) as { model?: { name?: unknown; id?: unknown } };
    if (model !== undefined) this.status.model = neutralizeLine(String(model.name ?? model.id));
    const { cost, contextUsage } = (stats?.data ?? {}) as {
      cost?: unknown;
      contextUsage?: { tokens?: unknown; contextWindow?: unknown };
    };
    if (typeof cost === "number") this.status.cost = cost;
    const { tokens, contextWindow: window } = contextUsage ?? {};
    if (typeof tokens === "number" && typeof window === "number")
      this.status.context = { tokens, window };
    this.#options.changed();
  }

  async #quietly(command: ClientCommand): Promise<ResponseFrame | undefined> {
    try {
      return await this.client.request(command);
    } catch {
      // Away again: the next connection asks anew.
      return undefined;
    }
  }

  #event({ event }: EventFrame): void {
    this.conversation.apply(event);
    switch (event.type) {
      case "agent_settled":
      case "agent_ready":
      case "compaction_end":
        void this.#refresh();
        break;
      case "extension_ui_request":
        this.#request(event);
        break;
      case "extension_ui_resolved":
        this.#resolved(event);
        break;
      case "entry_appended":
        if ((event["entry"] as Fields | undefined)?.["type"] === "model_change")
          void this.#refresh();
        break;
    }
    this.#options.changed();
  }

  #request(event: Fields): void {
    const dialog = dialogOf(event);
    if (dialog !== undefined) this.dialogs.push(dialog);
    else if (event["method"] === "notify")
      this.conversation.note(String(event["message"]), event["notifyType"] === "error");
  }

  /** Asked and answered stay in the conversation. */
  #resolved(event: Fields): void {
    const dialog = this.dialogs.find(({ id }) => id === event["id"]);
    if (dialog === undefined) return;
    this.dialogs = this.dialogs.filter((other) => other !== dialog);
    const { value, confirmed } = event;
    const answer =
      typeof value === "string"
        ? value
        : typeof confirmed === "boolean"
          ? confirmed
            ? "yes"
            : "no"
          : "not answered";
    this.conversation.note(`${dialog.title} — ${answer}`);
  }
}
