import type { Signal } from "@preact/signals";
import type { StreamedText } from "./streamed-text.ts";

interface Base {
  /** Of this page alone. */
  readonly id: number;
  /** Milliseconds since the Unix epoch, 0 = not known. */
  readonly timeMs: number;
}

/** What the owner said. */
export interface UserItem extends Base {
  readonly kind: "user";
  readonly text: string;
  /** `waiting`: not yet seen in the conversation. */
  readonly state: Signal<"there" | "waiting" | "failed">;
}

export interface TextItem extends Base {
  readonly kind: "text";
  readonly text: StreamedText;
}

export interface ThinkingItem extends Base {
  readonly kind: "thinking";
  readonly text: StreamedText;
}

export type ToolState = "writing" | "running" | "done" | "failed" | "stopped";

export interface ToolItem extends Base {
  readonly kind: "tool";
  readonly callId: string;
  readonly name: string;
  readonly args: Signal<Readonly<Record<string, unknown>>>;
  readonly output: Signal<string>;
  /** Unified diff of an edit. */
  readonly patch: Signal<string | undefined>;
  readonly state: Signal<ToolState>;
  /** Wall clock, ms; 0 = not seen. */
  readonly startedMs: Signal<number>;
  readonly endedMs: Signal<number>;
}

export interface DialogRequest {
  readonly id: string;
  readonly method: "select" | "confirm" | "input" | "editor";
  readonly title: string;
  readonly message: string;
  readonly options: readonly string[];
  readonly placeholder: string;
  readonly prefill: string;
}

export type DialogAnswer =
  { readonly value: string } | { readonly confirmed: boolean } | { readonly cancelled: true };

/** A question of an extension; it stays where it was asked, with its answer. */
export interface DialogItem extends Base {
  readonly kind: "dialog";
  readonly request: DialogRequest;
  readonly answer: Signal<DialogAnswer | undefined>;
}

/** What happened beside the talk: an error, a stop, a restart. */
export interface NoticeItem extends Base {
  readonly kind: "notice";
  readonly tone: "info" | "bad";
  readonly text: string;
  /** Offers to run the last prompt again. */
  readonly canRetry: boolean;
  /** The server's id of the prompt that was cut off, which it runs again once. */
  readonly promptId?: string;
}

/** What a longer conversation was shortened to. */
export interface SummaryItem extends Base {
  readonly kind: "summary";
  readonly text: string;
}

export type Item =
  UserItem | TextItem | ThinkingItem | ToolItem | DialogItem | NoticeItem | SummaryItem;
