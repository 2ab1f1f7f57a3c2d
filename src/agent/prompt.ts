/** Sizes of pi's conversation files, bytes, by path below the session's folder. */
export type Sizes = Readonly<Record<string, number>>;

export type Fields = Readonly<Record<string, unknown>>;

/** What a client asked for. */
export interface PromptContent {
  readonly type: "prompt" | "steer" | "follow_up";
  /** `message`, and `images` and `streamingBehavior` if it had any. */
  readonly fields: Fields;
  /** Who asked, if it was no client: the source of a webhook. */
  readonly source?: string;
}

/**
 * One prompt that was accepted, and how far it came:
 * `accepted` → `passed` to a pi → `begun` by it → `done` or `interrupted`; `dropped` if its queue was cleared.
 */
export interface Prompt {
  readonly id: string;
  /** Number of the event `prompt_accepted`. */
  readonly seq: number;
  readonly key: string | undefined;
  /** Of its content: a key that comes back with other words is a mistake. */
  readonly digest: string;
  /** Of its text, see {@link textHash}. */
  readonly textHash: string;
  /** Forgotten when it is over, unless it may be run again. */
  content: PromptContent | undefined;
  status: "accepted" | "passed" | "begun" | "done" | "interrupted" | "dropped";
  /** How often it was passed to a pi. */
  attempts: number;
  /** pi has said yes to it. */
  isAnswered: boolean;
  sizes: Sizes;
}

export function messageOf({ content }: Prompt): string {
  return String(content?.fields["message"] ?? "");
}

/** In their order, but those of clients before those from elsewhere: nobody who waits for an answer stands behind a webhook. */
export function ownersFirst(prompts: readonly Prompt[]): Prompt[] {
  const isFromElsewhere = ({ content }: Prompt) => Number(content?.source !== undefined);
  return prompts.toSorted((a, b) => isFromElsewhere(a) - isFromElsewhere(b));
}

/**
 * A command of an extension, a template or a skill (pi: a message that begins with a slash). What it does nobody knows,
 * so it counts as begun as soon as pi has it, and its text does not come back in the conversation as it was.
 */
export function isSlash(prompt: Prompt): boolean {
  return messageOf(prompt).startsWith("/");
}

/** Short for a text, to compare it later. */
export function textHash(text: string): string {
  return Bun.hash(text).toString(36);
}

/** Equal for prompts that say the same. */
export function promptDigest(type: string, fields: Fields): string {
  return new Bun.CryptoHasher("sha256").update(JSON.stringify([type, fields])).digest("base64url");
}

/** True if a message of the user's in the conversation is this prompt. pi adds hints on images behind a blank line. */
export function isPromptText(prompt: Prompt, text: string): boolean {
  const message = messageOf(prompt);
  return (
    text === message ||
    ("images" in (prompt.content?.fields ?? {}) && text.startsWith(`${message}\n\n`))
  );
}

/** The text of a message of pi's. */
export function textOf(message: unknown): string {
  const content = (message as { content?: unknown } | null)?.content;
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content
    .map((part: unknown) => (part as { text?: unknown } | null)?.text)
    .filter((text) => typeof text === "string")
    .join("");
}
