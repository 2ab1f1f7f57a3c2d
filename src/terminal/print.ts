import { AttachClient, type AttachClientOptions } from "../attach/client.ts";
import type { ClientState } from "../attach/client-state.ts";
import { Undelivered } from "../attach/outbox.ts";
import type { AttachedFrame, EventFrame } from "../attach/protocol.ts";
import { type AgentMessage, targetOf, textOf } from "./agent-message.ts";
import { neutralize, neutralizeLine } from "./neutralize.ts";
import { connectionWords } from "./connection-words.ts";

/** Exit codes of `nest attach --print`. */
export const PRINT_EXIT = {
  done: 0,
  /** The agent or its model failed, or refused the prompt. */
  failed: 1,
  /** Stopped: by this program's signal, or by another client. */
  aborted: 3,
  /** No connection for too long, or Nest restarted and what became of the prompt is not known. */
  away: 4,
  /** The token, its scope, the session, or a lock-out. */
  refused: 5,
} as const;

export type PrintEnd = { readonly code: number; readonly words?: string };

export interface PrintOptions {
  readonly client: Omit<AttachClientOptions, "onState" | "onAttached" | "onEvent" | "onFrame">;
  readonly message: string;
  /** Frames as JSON lines instead of text. */
  readonly json: boolean;
  /** Longest time without a connection, ms. */
  readonly maxAwayMs: number;
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
}

type Fields = Readonly<Record<string, unknown>>;

/** One prompt, its answer as it comes, and an end: for scripts. */
export class Print {
  readonly #options: PrintOptions;
  readonly #client: AttachClient;
  #resolve: (end: PrintEnd) => void = () => {};
  #cancelAway = () => {};
  #isSent = false;
  /** Our own prompt was seen to begin. */
  #isOurs = false;
  #isLineOpen = false;
  #outcome: PrintEnd = { code: PRINT_EXIT.done };

  constructor(options: PrintOptions) {
    this.#options = options;
    this.#client = new AttachClient({
      ...options.client,
      onState: (state) => this.#stateChanged(state),
      onAttached: (frame) => this.#attached(frame),
      onEvent: (frame) => this.#event(frame.event),
      ...(options.json && { onFrame: (frame) => options.out(`${jsonLine(frame)}\n`) }),
    });
  }

  run(): Promise<PrintEnd> {
    return new Promise((resolve) => {
      this.#resolve = (end) => {
        this.#resolve = () => {};
        this.#cancelAway();
        this.#endLine();
        this.#client.close();
        resolve(end);
      };
      this.#client.start();
    });
  }

  /** Stops the agent and ends. */
  async abort(): Promise<void> {
    try {
      if (this.#isOurs) await this.#client.request({ type: "abort" });
    } catch {
      // Away: it goes on there.
    }
    this.#resolve({ code: PRINT_EXIT.aborted, words: "stopped" });
  }

  #stateChanged(state: ClientState): void {
    const words = connectionWords(state, this.#options.client.clock.monotonicMs());
    if (state.kind === "refused" || state.kind === "locked_out") {
      this.#resolve({ code: PRINT_EXIT.refused, words });
    } else if (state.kind === "open") {
      this.#cancelAway();
    } else if (state.kind === "connecting" || state.kind === "away") {
      this.#watchAway();
    }
  }

  #isWatched = false;
  #watchAway(): void {
    if (this.#isWatched) return;
    this.#isWatched = true;
    const cancel = this.#options.client.clock.after(this.#options.maxAwayMs, () =>
      this.#resolve({ code: PRINT_EXIT.away, words: "no connection" }),
    );
    this.#cancelAway = () => {
      this.#isWatched = false;
      cancel();
    };
  }

  #attached({ scripted, resync }: AttachedFrame): void {
    if (scripted === true && !this.#isSent && !this.#options.json)
      this.#options.err("(scripted model: answers come from a script)\n");
    if (resync && this.#isOurs) {
      this.#resolve({ code: PRINT_EXIT.away, words: "Nest restarted in the middle of the answer" });
      return;
    }
    if (this.#isSent) return;
    this.#isSent = true;
    void this.#prompt();
  }

  async #prompt(): Promise<void> {
    const { message } = this.#options;
    try {
      const response = await this.#client.prompt(message, { streamingBehavior: "followUp" });
      if (!response.success) {
        this.#resolve({ code: PRINT_EXIT.failed, words: neutralize(response.error ?? "refused") });
      } else if (message.startsWith("/")) {
        // A command of an extension may end without an event.
        const { data } = await this.#client.request({ type: "get_state" });
        if ((data as Fields | undefined)?.["isStreaming"] !== true && !this.#isOurs)
          this.#resolve(this.#outcome);
      }
    } catch (error) {
      const code = error instanceof Undelivered ? PRINT_EXIT.away : PRINT_EXIT.failed;
      this.#resolve({ code, words: (error as Error).message });
    }
  }

  #event(event: EventFrame["event"]): void {
    const message = event["message"] as AgentMessage | undefined;
    if (event.type === "message_start" && message?.role === "user") {
      // Others may prompt in this session, too; our own stands in the conversation as it was sent.
      if (this.#isSent && textOf(message.content) === this.#options.message) this.#isOurs = true;
    }
    if (!this.#isOurs) return;
    switch (event.type) {
      case "message_update":
        this.#write(event["assistantMessageEvent"] as Fields);
        break;
      case "message_end":
        this.#endLine();
        if (message?.role === "assistant") this.#outcome = outcomeOf(message);
        break;
      case "tool_execution_start":
        this.#say(`> ${String(event["toolName"])} ${targetOf(event["args"])}`);
        break;
      case "tool_execution_end":
        if (event["isError"] === true) this.#say(`! ${String(event["toolName"])} failed`);
        break;
      case "agent_exit":
        if (event["interrupted"] === true)
          this.#resolve({ code: PRINT_EXIT.failed, words: "the agent stopped in the middle" });
        break;
      case "agent_settled":
        this.#resolve(this.#outcome);
        break;
    }
  }

  #write({ type, delta }: Fields): void {
    if (type !== "text_delta" || this.#options.json) return;
    const text = neutralize(String(delta), "\t");
    if (text === "") return;
    this.#options.out(text);
    this.#isLineOpen = !text.endsWith("\n");
  }

  #say(line: string): void {
    if (this.#options.json) return;
    this.#endLine();
    this.#options.err(`${neutralizeLine(line)}\n`);
  }

  #endLine(): void {
    if (this.#isLineOpen) this.#options.out("\n");
    this.#isLineOpen = false;
  }
}

function outcomeOf({ stopReason, errorMessage }: AgentMessage): PrintEnd {
  if (stopReason === "aborted") return { code: PRINT_EXIT.aborted, words: "stopped" };
  if (stopReason === "error")
    return { code: PRINT_EXIT.failed, words: neutralize(errorMessage ?? "the model failed") };
  return { code: PRINT_EXIT.done };
}

/** JSON that does nothing on a terminal either: what JSON leaves as it is, is escaped, too. */
function jsonLine(frame: object): string {
  return JSON.stringify(frame).replace(
    /[\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
