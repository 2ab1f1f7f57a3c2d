import type { Log } from "../log/log.ts";
import { conversationSizes } from "./conversation-files.ts";
import type { Journal } from "./journal.ts";
import { type PiCommand, PiExited, type PiRecord } from "./pi.ts";
import {
  type Fields,
  isPromptText,
  isSlash,
  messageOf,
  ownersFirst,
  type Prompt,
  type PromptContent,
  promptDigest,
  textOf,
} from "./prompt.ts";
import { type PromptLedger, StorageError } from "./prompt-ledger.ts";
import type { Reply } from "./reply.ts";
import { AgentUnavailable, type Delivered } from "./supervisor.ts";
import { writtenDown } from "./written-down.ts";

/** What {@link Prompts} needs of its session. */
export interface PromptsHost {
  /** Numbers an event of ours. */
  append(event: Readonly<Record<string, unknown>>): void;
  /** Calls back when pi runs, or with why it does not; it is started if need be. */
  whenReady(run: (unavailable: AgentUnavailable | undefined) => void): void;
  /** Hands a command to pi, which runs. */
  send(command: PiCommand, answered: Delivered, label?: string | number): void;
  /** Puts the vault's images in place of their names. @throws {Error} whose message may be shown */
  withImages(fields: Fields): Fields;
  /** What clients see of pi's refusal or of there being no pi. */
  replyOf(type: string, answer: Parameters<Delivered>[0]): Reply;
  /** Has a process started after a pause, for prompts that nobody waits for. */
  startLater(): void;
}

/** Prompts that are not finished, count and UTF-16 code units of their JSON, in one session. */
const MAX_UNFINISHED = 256;
const MAX_UNFINISHED_LENGTH = 32 * 1024 * 1024;
/** A prompt is given to so many processes: one at which pi dies must not come back for ever. */
const MAX_ATTEMPTS = 3;

/**
 * The prompts of a session, each run once.
 *
 * They are passed to pi one behind the other's answer: of two that it examines at the same time it says yes to both and
 * runs one. What a process that has died had begun is told by its events and by what it has written down; the rest is
 * passed to the next one.
 */
export class Prompts {
  readonly #ledger: PromptLedger;
  readonly #journal: Journal;
  readonly #dir: string;
  readonly #host: PromptsHost;
  readonly #log: Log;
  /** Who waits for pi's answer, by prompt. */
  readonly #replies = new Map<string, ((reply: Reply) => void)[]>();
  readonly #labels = new Map<string, string | number>();
  /** Accepted ones that pi has not got, see {@link ownersFirst}. */
  #outbox: Prompt[] = [];
  /** The one whose answer is waited for. */
  #asking: Prompt | undefined;
  /** Texts that wait inside pi. */
  #queued: readonly string[] = [];
  #isStopping = false;

  /** @param dir - where pi keeps the session's conversations */
  constructor(ledger: PromptLedger, journal: Journal, dir: string, host: PromptsHost, log: Log) {
    this.#ledger = ledger;
    this.#journal = journal;
    this.#dir = dir;
    this.#host = host;
    this.#log = log;
  }

  /** Accepted ones that are not over. */
  get unfinished(): readonly Prompt[] {
    return this.#ledger.unfinished;
  }

  /** All of them have begun, and what nobody sees begin was answered: none is on its way. */
  get haveBegun(): boolean {
    return this.unfinished.every(
      (prompt) => prompt.status === "begun" && (prompt.isAnswered || !isSlash(prompt)),
    );
  }

  /** Those that were cut off and may be run again, as clients see them. */
  get interrupted(): InterruptedPrompt[] {
    return this.#ledger.interrupted.map(shownInterrupted);
  }

  /**
   * Takes a prompt on, or says why not.
   *
   * @param reply - called once: when pi has answered, or at once if it is refused
   * @param isAwaited - false: `reply` is called at once and only to refuse, the prompt stays until pi can be started, and
   *   it is queued behind a run
   * @param label - the sender's own name for it
   * @returns its id, if it was accepted now
   */
  submit(
    content: PromptContent,
    key: string | undefined,
    reply: (reply: Reply) => void,
    { isAwaited = true, label }: { isAwaited?: boolean; label?: string | number | undefined } = {},
  ): string | undefined {
    const digest = promptDigest(content.type, content.fields);
    const known = key === undefined ? undefined : this.#ledger.withKey(key);
    if (known !== undefined) {
      // Whatever became of it, it was taken on.
      if (isAwaited) this.#again(known, digest, reply);
      return undefined;
    }
    if (this.#isStopping) return refuse(reply, "agent_unavailable", "Nest is stopping");
    try {
      this.#host.withImages(content.fields);
    } catch (error) {
      reply({ success: false, code: "image_unavailable", error: (error as Error).message });
      return undefined;
    }
    if (this.#isFull()) {
      return refuse(
        reply,
        "queue_full",
        `${MAX_UNFINISHED} prompts wait already, or 32 MiB of them`,
      );
    }
    if (this.#journal.isBehind) return refuse(reply, "storage_unavailable", STORAGE);
    let prompt: Prompt;
    try {
      prompt = this.#ledger.accept(content, this.#journal.lastSeq + 1, key, digest);
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      this.#log.error("prompt_not_stored", { reason: error.message });
      return refuse(reply, "storage_unavailable", STORAGE);
    }
    this.#tellAccepted(prompt);
    if (isAwaited) this.#replies.set(prompt.id, [reply]);
    if (label !== undefined) this.#labels.set(prompt.id, label);
    this.#outbox = ownersFirst([...this.#outbox, prompt]);
    this.#host.whenReady((unavailable) => {
      if (unavailable === undefined) this.pump();
      else this.unavailable(unavailable.message);
    });
    return prompt.id;
  }

  shown(prompt: Prompt): InterruptedPrompt {
    return shownInterrupted(prompt);
  }

  /** Runs an interrupted prompt again, once. */
  retry(id: string, reply: (reply: Reply) => void): void {
    const old = this.#ledger.withId(id);
    // No client can send a key with a space, so this one is ours.
    const key = `retry ${id}`;
    if (
      old === undefined ||
      (this.#ledger.withKey(key) === undefined && old.content === undefined)
    ) {
      refuse(reply, "not_interrupted", "no prompt that can be run again has this id");
      return;
    }
    if (old.status === "interrupted" && old.content !== undefined) {
      const fields = { ...old.content.fields, streamingBehavior: "followUp" };
      if (this.submit({ ...old.content, type: "prompt", fields }, key, reply) !== undefined)
        this.#ledger.retried(old);
    } else {
      const again = this.#ledger.withKey(key);
      if (again === undefined) refuse(reply, "not_interrupted", "this prompt was not interrupted");
      else this.#again(again, again.digest, reply);
    }
  }

  /** Sees an event of pi's, before clients do. */
  observe(record: PiRecord): void {
    switch (record.type) {
      case "agent_start":
        this.#ledger.run(true);
        break;
      case "message_start": {
        const message = record["message"] as { role?: unknown } | null;
        if (message?.role === "user") this.#begins(textOf(message));
        break;
      }
      case "queue_update":
        this.#queued = [record["steering"], record["followUp"]]
          .flatMap((list) => (Array.isArray(list) ? (list as unknown[]) : []))
          .map(String);
        break;
      case "agent_settled":
        this.#settled();
        break;
    }
  }

  /** The owner cleared pi's queue. */
  cleared(data: unknown): void {
    const { steering, followUp } = (data ?? {}) as { steering?: unknown; followUp?: unknown };
    const texts = [steering, followUp].flatMap((list) =>
      Array.isArray(list) ? (list as unknown[]).map(String) : [],
    );
    for (const text of texts) {
      const prompt = this.unfinished.find(
        (one) => one.status === "passed" && isPromptText(one, text),
      );
      if (prompt === undefined) continue;
      this.#host.append({ type: "prompt_dropped", prompt: prompt.id });
      this.#ledger.over(prompt, "dropped");
    }
  }

  /** A process runs that has none of our prompts. */
  ready(): void {
    this.#outbox = ownersFirst(this.unfinished.filter(({ status }) => status === "accepted"));
    this.pump();
  }

  /** Sorts out what the process that is gone, or the Nest before this one, had begun. */
  lost(): void {
    const wasBusy = this.#ledger.isBusy;
    const isAnyPassed = this.unfinished.some(({ status }) => status === "passed");
    const written = isAnyPassed ? writtenDown(this.#dir, this.#ledger.recent) : new Set<Prompt>();
    this.#asking = undefined;
    this.#queued = [];
    for (const prompt of this.unfinished) {
      if (prompt.status === "begun") {
        // A command of an extension that was answered, and no run in which it could have been cut off.
        if (isSlash(prompt) && prompt.isAnswered && !wasBusy) this.#ledger.over(prompt, "done");
        else this.#interrupt(prompt);
      } else if (prompt.status === "passed") {
        if (written.has(prompt) || prompt.attempts >= MAX_ATTEMPTS) this.#interrupt(prompt);
        else prompt.status = "accepted";
      }
    }
    this.#ledger.run(false);
  }

  /** What the Nest before this one left: called once, when its processes are gone. @returns true if it was cut off */
  recover(): boolean {
    const { unfinished, isBusy } = this.#ledger;
    for (const prompt of unfinished) {
      if (!this.#isTold("prompt_accepted", prompt)) this.#tellAccepted(prompt);
    }
    this.lost();
    return isBusy || unfinished.some(({ status }) => status === "interrupted");
  }

  /** The agent could not be started: whoever waits is told, what nobody waits for stays. */
  unavailable(reason: string): void {
    if (this.#isStopping) return;
    for (const prompt of this.unfinished) {
      if (prompt.status === "accepted" && this.#replies.has(prompt.id))
        this.#refuse(prompt, this.#host.replyOf("prompt", new AgentUnavailable(reason)));
    }
    if (this.unfinished.length > 0) this.#host.startLater();
  }

  /** From now on nothing is accepted, and what is not begun waits for the next start. */
  stop(): void {
    this.#isStopping = true;
    this.#outbox = [];
  }

  #again(known: Prompt, digest: string, reply: (reply: Reply) => void): void {
    if (known.digest !== digest) {
      refuse(reply, "key_reused", "this key came with another prompt before");
    } else if (known.status === "interrupted") {
      const error = `Cannot run it again by its key: it was interrupted. Send {"type":"retry_prompt","prompt":"${known.id}"}`;
      reply({ success: false, code: "prompt_interrupted", error });
    } else {
      const waiting = this.#replies.get(known.id);
      if (waiting === undefined) reply({ success: true });
      else waiting.push(reply);
    }
  }

  #isFull(): boolean {
    const { unfinished } = this;
    if (unfinished.length >= MAX_UNFINISHED) return true;
    let length = 0;
    for (const { content } of unfinished) {
      length += String(content?.fields["message"] ?? "").length;
      for (const image of (content?.fields["images"] ?? []) as { data?: string }[])
        length += image.data?.length ?? 0;
    }
    return length > MAX_UNFINISHED_LENGTH;
  }

  /** Passes on what may be passed on, to a pi that runs. */
  pump(): void {
    while (this.#asking === undefined) {
      const prompt = this.#outbox.shift();
      if (prompt === undefined) return;
      // An answer to a slash command may wait for a dialog.
      if (!isSlash(prompt)) this.#asking = prompt;
      this.#pass(prompt);
    }
  }

  #pass(prompt: Prompt): void {
    const { type, fields } = prompt.content as PromptContent;
    let complete: Fields;
    try {
      complete = this.#host.withImages(fields);
    } catch (error) {
      this.#asking = undefined;
      this.#refuse(prompt, {
        success: false,
        code: "image_unavailable",
        error: (error as Error).message,
      });
      return;
    }
    this.#ledger.passed(prompt, conversationSizes(this.#dir));
    if (isSlash(prompt)) this.#ledger.begun(prompt);
    const attempt = prompt.attempts;
    // One that comes again finds what it was meant to steer gone, and others of its kind running.
    const command =
      attempt > 1 || !this.#replies.has(prompt.id)
        ? { ...complete, type: "prompt", streamingBehavior: "followUp" }
        : { ...complete, type };
    this.#host.send(
      command,
      (answer) => {
        if (prompt.attempts === attempt) this.#answered(prompt, answer);
      },
      this.#labels.get(prompt.id),
    );
  }

  #answered(prompt: Prompt, answer: Parameters<Delivered>[0]): void {
    const isNext = this.#asking === prompt;
    // The process is gone: `lost` is called next, and what it had not begun goes to the next one.
    if (answer instanceof PiExited) return;
    if (isNext) this.#asking = undefined;
    if (answer instanceof AgentUnavailable) {
      if (this.#isStopping) return;
      prompt.status = "accepted";
      if (this.#replies.has(prompt.id)) this.#refuse(prompt, this.#host.replyOf("prompt", answer));
      else {
        this.#outbox = ownersFirst([prompt, ...this.#outbox]);
        this.#host.startLater();
        return;
      }
    } else if (answer.success) {
      prompt.isAnswered = true;
      if (isSlash(prompt)) this.#ledger.answered(prompt);
      this.#reply(prompt, this.#host.replyOf("prompt", answer));
    } else if (prompt.status === "passed" || isSlash(prompt)) {
      this.#refuse(prompt, this.#host.replyOf("prompt", answer));
    }
    this.pump();
  }

  #begins(text: string): void {
    const prompt = this.unfinished.find(
      (one) => one.status === "passed" && isPromptText(one, text),
    );
    if (prompt === undefined) return;
    this.#ledger.begun(prompt);
    this.#host.append({ type: "prompt_begun", prompt: prompt.id });
  }

  #settled(): void {
    this.#ledger.run(false);
    for (const prompt of this.unfinished) {
      const isQueued = this.#queued.some((text) => isPromptText(prompt, text));
      if (prompt.isAnswered && prompt.status !== "accepted" && !isQueued)
        this.#ledger.over(prompt, "done");
      // Its answer got lost, but it has run.
      else if (prompt.status === "begun" && !isSlash(prompt)) this.#ledger.over(prompt, "done");
    }
  }

  #interrupt(prompt: Prompt): void {
    // The event first: where Nest dies between the two, the next one looks whether it was told.
    if (!this.#isTold("prompt_interrupted", prompt)) {
      this.#host.append({ type: "prompt_interrupted", ...shownInterrupted(prompt) });
    }
    this.#ledger.over(prompt, "interrupted");
    this.#reply(prompt, {
      success: false,
      code: "prompt_interrupted",
      error: `Cannot finish the prompt: the agent's process ended. Send {"type":"retry_prompt","prompt":"${prompt.id}"} to run it again`,
    });
  }

  #refuse(prompt: Prompt, reply: Reply): void {
    this.#outbox = this.#outbox.filter((one) => one !== prompt);
    const { error, code } = reply as { error?: string; code?: string };
    this.#ledger.refused(prompt);
    this.#host.append({
      type: "prompt_refused",
      prompt: prompt.id,
      ...(code !== undefined && { code }),
      error,
    });
    this.#reply(prompt, reply);
  }

  #reply(prompt: Prompt, reply: Reply): void {
    const waiting = this.#replies.get(prompt.id) ?? [];
    this.#replies.delete(prompt.id);
    this.#labels.delete(prompt.id);
    for (const one of waiting) one(reply);
  }

  #tellAccepted(prompt: Prompt): void {
    const { type, fields, source } = prompt.content as PromptContent;
    const images = (fields["images"] as unknown[] | undefined)?.length;
    this.#host.append({
      type: "prompt_accepted",
      prompt: prompt.id,
      kind: type,
      message: messageOf(prompt),
      ...(images !== undefined && { images }),
      // Keys with a space are ours.
      ...(prompt.key?.includes(" ") === false && { key: prompt.key }),
      ...(source !== undefined && { source }),
    });
  }

  /** True if the journal has this event of the prompt's. */
  #isTold(type: string, { id, seq }: Prompt): boolean {
    const mark = `"event":{"type":"${type}","prompt":"${id}"`;
    for (let entry = this.#journal.after(seq - 1); entry !== undefined;) {
      if (entry.frame.includes(mark)) return true;
      entry = this.#journal.after(entry.seq);
    }
    return false;
  }
}

/** As clients see an interrupted prompt. */
export interface InterruptedPrompt {
  readonly prompt: string;
  readonly key?: string;
  readonly message: string;
}

const STORAGE = "the disk takes nothing now. Nothing was run; try again later";

function shownInterrupted(prompt: Prompt): InterruptedPrompt {
  const { id, key } = prompt;
  return {
    prompt: id,
    ...(key?.includes(" ") === false && { key }),
    message: messageOf(prompt),
  };
}

function refuse(reply: (reply: Reply) => void, code: string, reason: string): undefined {
  reply({ success: false, code, error: `Cannot run the prompt: ${reason}` });
}
