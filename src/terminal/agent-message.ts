/** pi's messages and tool results, as far as a terminal shows them. Everything in them is the agent's word: nothing is relied on. */
export interface AgentMessage {
  readonly role: string;
  readonly content?: unknown;
  readonly toolCallId?: string;
  readonly toolName?: string;
  readonly isError?: boolean;
  readonly details?: unknown;
  readonly stopReason?: string;
  readonly errorMessage?: string;
  /** Of `bashExecution`. */
  readonly command?: string;
  readonly output?: string;
}

export interface Block {
  readonly type: string;
  readonly text?: string;
  readonly thinking?: string;
  readonly id?: string;
  readonly name?: string;
  readonly arguments?: unknown;
}

export function blocksOf(content: unknown): readonly Block[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  return Array.isArray(content) ? content.filter((block) => typeof block?.type === "string") : [];
}

/** The text in it, images left out. */
export function textOf(content: unknown): string {
  return blocksOf(content)
    .map((block) => (typeof block.text === "string" ? block.text : ""))
    .join("");
}

export function imageCount(content: unknown): number {
  return blocksOf(content).filter(({ type }) => type === "image").length;
}

/** The diff that pi's edit tool adds to its result. */
export function diffOf(details: unknown): string | undefined {
  const diff = (details as { diff?: unknown } | null | undefined)?.diff;
  return typeof diff === "string" ? diff : undefined;
}

/** What a tool call is about, in one line: the command, the path, or all of its arguments. */
export function targetOf(args: unknown): string {
  const fields = (args ?? {}) as Record<string, unknown>;
  for (const name of ["command", "path", "file_path", "pattern", "query", "url"]) {
    const value = fields[name];
    if (typeof value === "string") return value;
  }
  return Object.keys(fields).length === 0 ? "" : JSON.stringify(args);
}
