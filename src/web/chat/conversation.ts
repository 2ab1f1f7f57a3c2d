import { computed, signal } from "@preact/signals";
import { AttachClient } from "../../attach/client.ts";
import type { ClientState } from "../../attach/client-state.ts";
import { attachUrl } from "../../attach/attach-url.ts";
import { probeAttach } from "../../attach/probe.ts";
import type {
  AttachedFrame,
  EventFrame,
  ResponseFrame,
  VaultFrame,
} from "../../attach/protocol.ts";
import { signedOut, tokenNow } from "../account/account.ts";
import { apiJson } from "../api/http.ts";
import { BASE } from "../base.ts";
import { type Draft, draftOf } from "./draft.ts";
import { type Fields, fieldsOf, listOf, numberOf, textOf, textsOf } from "./fields.ts";
import type { DialogAnswer } from "./items.ts";
import { notify } from "./notify.ts";
import { Transcript } from "./transcript.ts";
import { tellVaultChanges, tellVaultUnknown } from "./vault-changes.ts";

/** How a prompt goes out while the agent works. */
export type BusyMode = "followUp" | "steer";

export interface Model {
  readonly provider: string;
  readonly id: string;
  readonly name: string;
}

/** What a conversation has cost, and how full the model's memory of it is. */
export interface Usage {
  readonly contextPercent: number | undefined;
  readonly cost: number;
}

export interface Outgoing {
  readonly text: string;
  /** Paths in the vault. */
  readonly files: readonly string[];
  readonly images: readonly string[];
}

/**
 * One session as this page sees it: its connection, what was said, and what can be done. Views only read its signals
 * and call its methods.
 */
export class Conversation implements Disposable {
  readonly name: string;
  readonly transcript = new Transcript();
  readonly draft: Draft;
  readonly connection = signal<ClientState>({ kind: "connecting" });
  readonly isBusy = signal(false);
  readonly isLoaded = signal(false);
  /** Answers come from a script. */
  readonly isScripted = signal(false);
  readonly queue = signal<{ readonly steering: string[]; readonly followUp: string[] }>({
    steering: [],
    followUp: [],
  });
  readonly model = signal<Model | undefined>(undefined);
  readonly thinkingLevel = signal("");
  readonly title = signal("");
  readonly usage = signal<Usage>({ contextPercent: undefined, cost: 0 });
  /** What extensions report, by their keys. */
  readonly statuses = signal<ReadonlyMap<string, string>>(new Map());
  /** Text that was put into the composer from elsewhere. */
  readonly suggested = signal<string | undefined>(undefined);
  readonly isOpen = computed(() => this.connection.value.kind === "open");
  readonly #client: AttachClient;
  /** Events that wait while the conversation is being read. */
  #held: EventFrame[] | undefined;
  readonly #nudge = () => {
    if (document.visibilityState === "visible") this.#client.nudge();
  };

  constructor(name: string) {
    this.name = name;
    this.draft = draftOf(name);
    this.#client = new AttachClient({
      url: attachUrl(BASE.href),
      token: () => tokenNow() ?? "",
      session: name,
      clock: { monotonicMs: () => performance.now(), after },
      random: Math.random,
      probe: probeAttach,
      onState: (state) => this.#onState(state),
      onAttached: (frame) => this.#onAttached(frame),
      onEvent: (frame) => this.#onEvent(frame),
      onFrame: (frame) => {
        if (frame.type === "vault") tellVaultChanges(frame as VaultFrame);
      },
    });
    this.#client.start();
    addEventListener("online", this.#nudge);
    document.addEventListener("visibilitychange", this.#nudge);
  }

  /** Hands a prompt over. @returns what went wrong; the words are the caller's again then */
  async send({ text, files, images }: Outgoing, mode: BusyMode): Promise<string | undefined> {
    const message = [text, files.length > 0 ? `Attached: ${files.join(", ")}` : ""]
      .filter((part) => part !== "")
      .join("\n\n");
    const isCommand = message.startsWith("/");
    const waiting = this.isBusy.value ? undefined : this.transcript.addWaiting(message);
    // A command of an extension is not said in the conversation; what it does comes below it.
    if (isCommand && waiting !== undefined && this.isOpen.value) waiting.state.value = "there";
    this.draft.sending(text);
    let problem: string | undefined;
    try {
      const { success, error } = await this.#client.prompt(message, {
        // Of no meaning to an agent that does nothing; and whether it does may have changed on the way.
        streamingBehavior: mode,
        ...(images.length > 0 && { images: images.map((vault) => ({ vault })) }),
      });
      if (!success) problem = error ?? "it was refused";
    } catch (failure) {
      problem = (failure as Error).message;
    }
    this.draft.accepted(text);
    if (problem !== undefined && waiting !== undefined) this.transcript.remove(waiting);
    return problem;
  }

  /**
   * Runs a prompt again that was cut off.
   *
   * @param promptId - the server's id of it, by which it is run once whoever else asks; absent = the last one anew
   */
  async retry(promptId?: string): Promise<string | undefined> {
    if (promptId !== undefined) {
      const response = await this.request({ type: "retry_prompt", prompt: promptId });
      if (response?.success === true) return undefined;
      return response?.code === "not_interrupted"
        ? "It was run again already."
        : (response?.error ?? "There is no connection.");
    }
    return this.send({ text: this.transcript.lastPrompt, files: [], images: [] }, "followUp");
  }

  /** Stops what runs, and gives back what waited behind it: it would run after the next prompt otherwise. */
  async stop(): Promise<void> {
    const cleared = await this.request({ type: "clear_queue" });
    const { steering, followUp } = fieldsOf(cleared?.data);
    const texts = [...textsOf(steering), ...textsOf(followUp)];
    if (texts.length > 0) this.suggested.value = texts.join("\n\n");
    await this.request({ type: "abort" });
  }

  /** Takes back what waits. */
  async unqueue(): Promise<void> {
    const cleared = await this.request({ type: "clear_queue" });
    const { steering, followUp } = fieldsOf(cleared?.data);
    const texts = [...textsOf(steering), ...textsOf(followUp)];
    if (texts.length > 0) this.suggested.value = texts.join("\n\n");
  }

  /** @returns what went wrong */
  async answer(id: string, answer: DialogAnswer): Promise<string | undefined> {
    try {
      const { success, code, error } = await this.#client.answerDialog(
        id,
        answer as { value: string },
      );
      if (success) return undefined;
      return code === "dialog_closed" ? "It was answered elsewhere, or is over." : error;
    } catch (failure) {
      return (failure as Error).message;
    }
  }

  /** A command whose failure needs no words. */
  async request(command: {
    readonly type: string;
    readonly [field: string]: unknown;
  }): Promise<ResponseFrame | undefined> {
    try {
      return await this.#client.request(command);
    } catch {
      return undefined;
    }
  }

  async models(): Promise<Model[]> {
    const response = await this.request({ type: "get_available_models" });
    return listOf(fieldsOf(response?.data)["models"])
      .map((model) => modelOf(fieldsOf(model)))
      .filter((model) => model !== undefined);
  }

  async thinkingLevels(): Promise<string[]> {
    const response = await this.request({ type: "get_available_thinking_levels" });
    return textsOf(fieldsOf(response?.data)["levels"]);
  }

  async setModel({ provider, id }: Model): Promise<void> {
    await this.request({ type: "set_model", provider, modelId: id });
    await this.#readState();
  }

  async setThinkingLevel(level: string): Promise<void> {
    await this.request({ type: "set_thinking_level", level });
    await this.#readState();
  }

  async rename(title: string): Promise<void> {
    const response = await this.request({ type: "set_session_name", name: title });
    if (response?.success === true) this.title.value = title;
  }

  /** Tries at once to come back. */
  reconnect(): void {
    this.#client.nudge();
  }

  /** Begins anew after a refusal. */
  restart(): void {
    this.#client.start();
  }

  [Symbol.dispose](): void {
    removeEventListener("online", this.#nudge);
    document.removeEventListener("visibilitychange", this.#nudge);
    this.#client.close();
  }

  #onState(state: ClientState): void {
    this.connection.value = state;
    if (state.kind === "refused" && state.code === "unauthorized") signedOut("over");
  }

  #onAttached(frame: AttachedFrame): void {
    this.isScripted.value = frame.scripted === true;
    // The first time, too: a note may have been read before.
    tellVaultUnknown();
    // A client that comes back gets the events that tell; one that begins anew is told here.
    if (!this.isLoaded.value || frame.resync || this.#held !== undefined) {
      this.isBusy.value = frame.state === "busy";
      void this.#read(frame);
    }
  }

  async #read(frame: AttachedFrame): Promise<void> {
    this.#held = [];
    const told = await this.#readMessages();
    const held = this.#held;
    if (told === undefined) return;
    this.#held = undefined;
    // The answer and the events come by different ways; the later one by number is right.
    const later = held.findLast(
      ({ seq, event }) => seq > told.seq && (event.type === "agent_start" || ENDS.has(event.type)),
    );
    if (later === undefined && told.isBusy !== undefined) this.isBusy.value = told.isBusy;
    this.transcript.load(told.messages, this.isBusy.value, told.interrupted);
    if (told.pending.length > 0) this.queue.value = { steering: [], followUp: told.pending };
    this.transcript.askAgain(frame.dialogs ?? []);
    const known = held.filter(({ seq }) => seq <= told.seq).map(({ event }) => event);
    const rest = held.filter(({ seq }) => seq > told.seq).map(({ event }) => event);
    for (const missed of [...unfinished(known), ...rest]) this.#apply(missed);
    this.isLoaded.value = true;
    await this.#readState();
  }

  #onEvent(frame: EventFrame): void {
    const { event } = frame;
    if (event.type === "agent_start") this.isBusy.value = true;
    else if (ENDS.has(event.type)) this.isBusy.value = false;
    if (this.#held === undefined) this.#apply(event);
    else this.#held.push(frame);
  }

  /** `undefined` if there was no answer: the next connection asks again. */
  async #readMessages(): Promise<Told | undefined> {
    try {
      const path = `api/sessions/${encodeURIComponent(this.name)}/messages`;
      const told = fieldsOf(await apiJson<unknown>(path));
      return {
        messages: listOf(told["messages"]),
        seq: numberOf(told["seq"]),
        isBusy: told["state"] === "busy",
        interrupted: listOf(told["interrupted"]),
        pending: listOf(told["pending"]).map((prompt) => textOf(fieldsOf(prompt)["message"])),
      };
    } catch {
      // The socket is there all the same.
      const response = await this.request({ type: "get_messages" });
      if (response === undefined) return undefined;
      const messages = listOf(fieldsOf(response.data)["messages"]);
      return { messages, seq: Infinity, isBusy: undefined, interrupted: [], pending: [] };
    }
  }

  #apply(event: Fields): void {
    this.transcript.apply(event);
    switch (event["type"]) {
      case "agent_settled":
        notify(this.name, "The agent is done.");
        void this.#readUsage();
        break;
      case "agent_ready":
        this.isScripted.value = event["scripted"] === true;
        void this.#readState();
        break;
      case "queue_update":
        this.queue.value = {
          steering: textsOf(event["steering"]),
          followUp: textsOf(event["followUp"]),
        };
        break;
      case "thinking_level_changed":
        this.thinkingLevel.value = textOf(event["level"]);
        break;
      case "session_info_changed":
        this.title.value = textOf(event["name"]);
        break;
      case "extension_ui_request":
        this.#onExtension(event);
        break;
    }
  }

  #onExtension(event: Fields): void {
    switch (event["method"]) {
      case "setStatus": {
        const statuses = new Map(this.statuses.value);
        const text = textOf(event["statusText"]);
        if (text === "") statuses.delete(textOf(event["statusKey"]));
        else if (statuses.size < 8) statuses.set(textOf(event["statusKey"]), text);
        this.statuses.value = statuses;
        break;
      }
      case "set_editor_text":
        this.suggested.value = textOf(event["text"]);
        break;
      case "select":
      case "confirm":
      case "input":
      case "editor":
        notify(this.name, "The agent asks something.");
        break;
    }
  }

  async #readState(): Promise<void> {
    const response = await this.request({ type: "get_state" });
    if (response?.success !== true) return;
    const state = fieldsOf(response.data);
    this.model.value = modelOf(fieldsOf(state["model"]));
    this.thinkingLevel.value = textOf(state["thinkingLevel"]);
    this.title.value = textOf(state["sessionName"]);
    await this.#readUsage();
  }

  async #readUsage(): Promise<void> {
    const response = await this.request({ type: "get_session_stats" });
    if (response?.success !== true) return;
    const { contextUsage, cost } = fieldsOf(response.data);
    const { percent } = fieldsOf(contextUsage);
    this.usage.value = {
      contextPercent: typeof percent === "number" ? percent : undefined,
      cost: numberOf(cost),
    };
  }
}

/** What a conversation is made of when it is read anew. */
interface Told {
  readonly messages: readonly unknown[];
  /** Number of the last event that is in it. */
  readonly seq: number;
  /** As of `seq`, where it is known. */
  readonly isBusy: boolean | undefined;
  readonly interrupted: readonly unknown[];
  readonly pending: string[];
}

const ENDS: ReadonlySet<string> = new Set(["agent_settled", "agent_exit", "agent_stopped"]);

/** Of the events before the conversation was read, those that it does not hold yet. */
function unfinished(events: readonly Fields[]): Fields[] {
  const start = events.findLastIndex(
    ({ type, message }) => type === "message_start" && fieldsOf(message)["role"] === "assistant",
  );
  const isEnded = events.slice(start + 1).some(({ type }) => type === "message_end");
  return events.filter(
    ({ type }, i) =>
      !textOf(type).startsWith("message_") ||
      (!isEnded && start !== -1 && i >= start) ||
      (start === -1 && type === "message_update"),
  );
}

function modelOf({ provider, id, name }: Fields): Model | undefined {
  return typeof provider === "string" && typeof id === "string"
    ? { provider, id, name: textOf(name) || id }
    : undefined;
}

function after(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}
