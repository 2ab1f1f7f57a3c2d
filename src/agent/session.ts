import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import type { Command, Image, InlineImage } from "./commands.ts";
import { type DialogResult, Dialogs } from "./dialogs.ts";
import type { Journal } from "./journal.ts";
import type { Agent, ModelChoice } from "./launch.ts";
import type { ModelProbe } from "./model-probe.ts";
import { killMarked } from "./orphans.ts";
import { partialAnswer } from "./partial-answer.ts";
import { type PiExit, PiExited, type PiRecord } from "./pi.ts";
import { type Fields, messageOf, type PromptContent } from "./prompt.ts";
import { PromptLedger } from "./prompt-ledger.ts";
import { type InterruptedPrompt, Prompts } from "./prompts.ts";
import { hidePaths, type HostPaths, publicData, publicEvent } from "./public-view.ts";
import type { Reply } from "./reply.ts";
import { type Delivered, Supervisor } from "./supervisor.ts";
import { ToolUpdates } from "./tool-updates.ts";

export interface SessionOptions {
  readonly name: string;
  /** The agent's working folder, absolute. */
  readonly cwd: string;
  /** Where its conversations and `prompts.log` are kept, absolute; made with mode 0700. */
  readonly dir: string;
  /** The agent's process ends after so long without anything to do, ms; 0 = never. */
  readonly idleMs: number;
  readonly agent: Agent;
  readonly models: ModelProbe;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** Fetches an image from the vault. @throws {Error} whose message may be shown */
  readonly readImage: (path: string) => InlineImage;
}

/** While a run ends by itself when Nest stops, ms; then it is cut off. */
const DRAIN_MS = 3000;
/** Commands beside prompts that can't bear a turn: until pi has answered, none is begun that no client waits for. */
const TURN_TAKING = new Set<string>(["compact", "new_session", "fork", "clone"]);
/** For an agent that rests to end, ms. */
const REST_GRACE_MS = 5000;

/** The conversation as it is now. */
export interface Conversation {
  /** As pi tells them, without the system prompt. */
  readonly messages: unknown;
  /** Number of the last event that is in it: a client goes on with `since` from here. */
  readonly seq: number;
  readonly state: "idle" | "busy";
  /** Prompts that were accepted and have not begun. */
  readonly pending: readonly { readonly prompt: string; readonly message: string }[];
  /** Prompts that were cut off, each with what had been written by then. */
  readonly interrupted: readonly (InterruptedPrompt & { readonly partial?: string })[];
}

/**
 * One named, long-lived conversation with one pi process.
 *
 * Commands reach pi in the order of the calls. Every event of pi's is numbered into the journal, and events of ours
 * beside them: what becomes of prompts, `agent_exit` and `agent_ready` around a crash, `extension_ui_resolved` when a
 * dialog is over.
 */
export class Session {
  readonly name: string;
  readonly journal: Journal;
  readonly #options: SessionOptions;
  readonly #supervisor: Supervisor;
  readonly #dialogs: Dialogs;
  readonly #ledger: PromptLedger;
  readonly #prompts: Prompts;
  readonly #updates: ToolUpdates;
  readonly #subscribers = new Set<Subscriber>();
  #paths: HostPaths;
  #model: ModelChoice | undefined;
  #busy = false;
  /** Turn-taking commands that pi has not answered. */
  #undecided = 0;
  #wasReady = false;
  #isStopping = false;
  #settled: PromiseWithResolvers<void> | undefined;
  #lastUseMs: number;
  #cancelIdle = () => {};
  #cancelStart = () => {};

  /** @throws {Error} of the file system, if its folder can't be used */
  constructor(options: SessionOptions) {
    this.name = options.name;
    this.journal = options.journal;
    this.#options = options;
    this.#paths = options.agent.hostPaths(options.cwd, options.dir);
    this.#dialogs = new Dialogs(options.clock, (id, result) => {
      this.#append({ type: "extension_ui_resolved", id, ...result });
    });
    this.#supervisor = new Supervisor(
      () => this.#launch(),
      {
        event: (record, line) => this.#onEvent(record, line),
        ready: (pid) => this.#onReady(pid),
        exited: (exit, restartMs) => this.#onExit(exit, restartMs),
        failed: (restartMs, reason) => this.#onFailed(restartMs, reason),
        hold: () => this.journal.caughtUp(),
      },
      options.clock,
      options.log,
    );
    this.#updates = new ToolUpdates(options.clock);
    const file = join(options.dir, "prompts.log");
    const isNew = !existsSync(file);
    this.#ledger = new PromptLedger(file);
    const { log } = options;
    this.#prompts = new Prompts(
      this.#ledger,
      this.journal,
      options.dir,
      {
        append: (event) => this.#append(event),
        whenReady: (run) => this.#supervisor.whenReady(run),
        send: (command, answered, label) =>
          this.#supervisor.send(
            command,
            (answer) => {
              answered(answer);
              this.#wake();
            },
            label,
          ),
        withImages: (fields) => this.#withImages(fields),
        replyOf: (type, answer) => this.#replyOf(type, answer),
        startLater: () => this.#startLater(),
      },
      log,
    );
    if (!isNew) this.#recover();
    this.#lastUseMs = options.clock.monotonicMs();
    this.#watchIdle();
  }

  /** `busy` from the start of a turn until the agent has settled. */
  get state(): "idle" | "busy" {
    return this.#busy ? "busy" : "idle";
  }

  /** True while no turn runs and nobody's is on its way: then what no client waits for may be begun. */
  get isFree(): boolean {
    return !this.#busy && this.#undecided === 0 && this.#prompts.haveBegun;
  }

  /** True where answers come from the script and not from a model. */
  get isScripted(): boolean {
    return this.#model === "scripted";
  }

  /** Dialogs that wait for an answer, as pi asked them. */
  get openDialogs(): PiRecord[] {
    return this.#dialogs.open;
  }

  /** Starts the agent if it does not run; settles when it answers or could not be started. Never rejects. */
  open(): Promise<void> {
    return this.#supervisor.start();
  }

  /** Tells of what happens here; the returned function ends that. */
  subscribe(subscriber: Subscriber): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }

  /** Prompts that were cut off and may be run again with `retry_prompt`. */
  get interrupted(): readonly InterruptedPrompt[] {
    return this.#prompts.interrupted;
  }

  /**
   * Runs a command. It is handed to pi before this returns, if pi runs; a prompt waits for pi's answer to the one before.
   *
   * @param reply - called once; between events exactly where pi's answer stands between them
   */
  submit(command: Command, reply: (reply: Reply) => void): void {
    this.#lastUseMs = this.#options.clock.monotonicMs();
    switch (command.type) {
      case "extension_ui_response":
        reply(this.#answerDialog(command));
        break;
      case "prompt":
      case "steer":
      case "follow_up": {
        const { key, ...fields } = command.fields as { key?: string };
        this.#prompts.submit({ type: command.type, fields }, key, reply, { label: command.id });
        break;
      }
      case "retry_prompt":
        this.#prompts.retry(String(command.fields["prompt"]), reply);
        break;
      default:
        this.#run(command, reply);
    }
  }

  /**
   * Takes on a prompt that no client waits for: it is on disk when this returns, runs behind what runs now, and stays
   * through crashes until it has begun.
   *
   * @param content - `source` says who sent it; what clients ask goes first as long as pi has not got it
   * @param key - one that comes again runs nothing, whatever became of the first
   * @returns its id; `undefined` with a key that is known; a refusal
   */
  enqueue(
    content: PromptContent,
    key?: string,
  ): { readonly id: string | undefined } | Extract<Reply, { success: false }> {
    this.#lastUseMs = this.#options.clock.monotonicMs();
    let refusal: Extract<Reply, { success: false }> | undefined;
    const refused = (reply: Reply) => {
      if (!reply.success) refusal = reply;
    };
    const id = this.#prompts.submit(content, key, refused, { isAwaited: false });
    return refusal ?? { id };
  }

  /** The conversation, and what of it pi does not know: prompts that wait and prompts that were cut off. */
  conversation(
    told: (conversation: Conversation | Extract<Reply, { success: false }>) => void,
  ): void {
    this.#lastUseMs = this.#options.clock.monotonicMs();
    this.#supervisor.send({ type: "get_messages" }, (answer) => {
      const reply = this.#replyOf("get_messages", answer);
      if (!reply.success) {
        told(reply);
        return;
      }
      told({
        messages: (reply.data as { messages?: unknown } | undefined)?.messages ?? [],
        // In the very turn in which pi's answer was read: the events before it are in it, those behind are not.
        seq: this.journal.lastSeq,
        state: this.state,
        pending: this.#prompts.unfinished
          .filter(({ status }) => status !== "begun")
          .map((prompt) => ({ prompt: prompt.id, message: messageOf(prompt) })),
        interrupted: this.#ledger.interrupted.map((prompt) => {
          const shown = this.#prompts.shown(prompt);
          const partial = partialAnswer(this.journal, prompt.id, prompt.seq - 1);
          return partial === "" ? shown : { ...shown, partial };
        }),
      });
    });
  }

  /** The agent's process runs. */
  get isRunning(): boolean {
    return this.#supervisor.isRunning;
  }

  /** Ends the agent's process until it is needed again. Settles when it is gone. */
  rest(reason: "idle" | "asked"): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const isResting = this.#supervisor.rest(REST_GRACE_MS, () => {
      this.#dialogs.cancelAll();
      this.#updates.flush();
      const interrupted = this.#busy;
      this.#settle();
      this.#append({ type: "agent_stopped", reason, interrupted });
      this.#prompts.lost();
      this.#wake();
      resolve();
    });
    if (!isResting) resolve();
    return promise;
  }

  /**
   * Ends it for good. A run may end by itself for {@link DRAIN_MS}; then SIGTERM, and SIGKILL after what is left of
   * `graceMs`. What was cut off is marked, what had not begun runs after the next start.
   */
  async stop(graceMs: number): Promise<void> {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#cancelIdle();
    this.#cancelStart();
    this.#prompts.stop();
    if (this.#busy) await this.#drain(Math.min(DRAIN_MS, graceMs / 2));
    await this.#supervisor.stop(Math.max(graceMs - DRAIN_MS, graceMs / 2));
    this.#dialogs.cancelAll();
    this.#updates.flush();
    if (this.#busy) {
      this.#settle();
      const gone = { code: null, signal: null, interrupted: true, restartMs: 0 };
      this.#append({ type: "agent_exit", ...gone, cause: "nest_stopped" });
    }
    this.#prompts.lost();
    this.#ledger.close();
    this.journal.close();
    for (const { ended } of this.#subscribers) ended?.();
  }

  async #drain(withinMs: number): Promise<void> {
    this.#settled = Promise.withResolvers();
    const cancel = this.#options.clock.after(withinMs, () => this.#settled?.resolve());
    await this.#settled.promise;
    cancel();
  }

  /** What a Nest that died left behind. */
  #recover(): void {
    const { log } = this.#options;
    // First its processes: two must not write one conversation, and what it writes decides what it had begun.
    const killed = killMarked(this.#ledger.mark);
    if (killed > 0) log.warn("agent_orphans", { session: this.name, killed });
    if (this.#prompts.recover()) {
      const gone = { code: null, signal: null, interrupted: true, restartMs: 0 };
      this.#append({ type: "agent_exit", ...gone, cause: "nest_died" });
      log.warn("turn_interrupted", {
        session: this.name,
        reason: "Nest ended in the middle of it",
      });
    }
    if (this.#prompts.unfinished.length > 0) this.#startLater();
  }

  #startLater(): void {
    this.#cancelStart();
    this.#cancelStart = this.#options.clock.after(START_LATER_MS, () => {
      if (this.#isStopping) return;
      // In the pause after a failure nothing is started: then once more.
      void this.open().then(() => {
        if (this.#isStopping) return;
        if (this.#supervisor.isRunning) this.#prompts.pump();
        else this.#startLater();
      });
    });
  }

  #watchIdle(): void {
    const { idleMs, clock } = this.#options;
    if (idleMs === 0) return;
    const leftMs = this.#lastUseMs + idleMs - clock.monotonicMs();
    this.#cancelIdle = clock.after(Math.max(leftMs, idleMs / 10), () => {
      if (
        clock.monotonicMs() - this.#lastUseMs >= idleMs &&
        !this.#busy &&
        this.#prompts.haveBegun &&
        this.#supervisor.pending === 0 &&
        this.#dialogs.open.length === 0
      ) {
        void this.rest("idle");
      }
      this.#watchIdle();
    });
  }

  async #launch() {
    const { agent, models, cwd, dir } = this.#options;
    this.#model = await models.choose();
    // Scripted talk has no place in a real conversation.
    const sessionDir = this.#model === "scripted" ? join(dir, "scripted") : dir;
    mkdirSync(sessionDir, { recursive: true, mode: 0o700 });
    mkdirSync(cwd, { recursive: true });
    this.#paths = agent.hostPaths(cwd, sessionDir);
    return { ...agent.launch(cwd, sessionDir, this.#model), mark: this.#ledger.mark };
  }

  #run({ type, id, fields }: Command, reply: (reply: Reply) => void): void {
    const takesTurn = TURN_TAKING.has(type);
    if (takesTurn) this.#undecided++;
    this.#supervisor.send(
      { ...fields, type },
      (answer) => {
        if (takesTurn) this.#undecided--;
        if (type === "clear_queue" && !(answer instanceof Error) && answer.success)
          this.#prompts.cleared(answer.data);
        reply(this.#replyOf(type, answer));
        if (takesTurn || type === "clear_queue") this.#wake();
      },
      id,
    );
  }

  #replyOf(type: string, answer: Parameters<Delivered>[0]): Reply {
    if (answer instanceof Error) {
      const code = answer instanceof PiExited ? "agent_exited" : "agent_unavailable";
      return { success: false, code, error: `Cannot run "${type}": ${answer.message}` };
    }
    const { command, success, data, error } = answer;
    if (!success) return { success, error: hidePaths(String(error), this.#paths) };
    try {
      return data === undefined
        ? { success }
        : { success, data: publicData(command, data, this.#paths) };
    } catch (failure) {
      this.#options.log.error("reply_failed", { command, reason: (failure as Error).message });
      return {
        success: false,
        code: "internal_error",
        error: `Cannot show what "${type}" answered`,
      };
    }
  }

  #withImages(fields: Fields): Fields {
    const images = fields["images"] as readonly Image[] | undefined;
    if (images === undefined) return fields;
    return {
      ...fields,
      images: images.map((image) =>
        "vault" in image ? this.#options.readImage(image.vault) : image,
      ),
    };
  }

  #answerDialog({ id, fields }: Command): Reply {
    const result = fields as DialogResult;
    if (typeof id !== "string" || Object.keys(result).length !== 1) {
      const error =
        'Cannot answer a dialog: expected its "id" and one of "value", "confirmed", "cancelled": true';
      return { success: false, code: "invalid_command", error };
    }
    if (!this.#dialogs.isOpen(id)) {
      return {
        success: false,
        code: "dialog_closed",
        error: "Cannot answer this dialog: it is answered or over",
      };
    }
    // In the journal before pi has it; both in one turn, so whoever sees the dialog resolved may rely on it.
    this.#dialogs.resolve(id, result);
    this.#supervisor.notify({ type: "extension_ui_response", id, ...result });
    return { success: true };
  }

  #onEvent(record: PiRecord, line: string): void {
    this.#lastUseMs = this.#options.clock.monotonicMs();
    this.#prompts.observe(record);
    switch (record.type) {
      case "agent_start":
        this.#busy = true;
        break;
      case "agent_settled":
        this.#settle();
        break;
      case "tool_execution_update":
        this.#updates.update(String(record["toolCallId"]), () => this.#pass(record, line));
        return;
      case "tool_execution_end":
        this.#updates.end(String(record["toolCallId"]));
        break;
      case "extension_ui_request":
        if (!this.#dialogs.ask(record)) {
          const { id } = record;
          this.#supervisor.notify({ type: "extension_ui_response", id, cancelled: true });
          return;
        }
        break;
      case "bash_execution_update":
        // Ids inside pi are ours; the client knows its own.
        this.#append({ ...record, id: this.#supervisor.labelOf(record["id"]) });
        return;
    }
    this.#pass(record, line);
  }

  #pass(record: PiRecord, line: string): void {
    const event = publicEvent(record, line, this.#paths);
    if (event !== undefined) this.#appendText(event);
  }

  #settle(): void {
    this.#busy = false;
    this.#settled?.resolve();
  }

  #onReady(pid: number): void {
    this.#options.log.info("agent_ready", { session: this.name, pid, scripted: this.isScripted });
    if (this.#wasReady) this.#append({ type: "agent_ready", scripted: this.isScripted });
    this.#wasReady = true;
    this.#prompts.ready();
  }

  #onExit({ code, signal }: PiExit, restartMs: number): void {
    this.#dialogs.cancelAll();
    this.#updates.flush();
    const interrupted = this.#busy;
    this.#settle();
    this.#append({ type: "agent_exit", code, signal, interrupted, restartMs });
    this.#prompts.lost();
    this.#wake();
  }

  #onFailed(restartMs: number, reason: string): void {
    this.#onExit({ code: null, signal: null }, restartMs);
    this.#prompts.unavailable(reason);
  }

  #append(event: Readonly<Record<string, unknown>>): void {
    this.#appendText(JSON.stringify(event));
  }

  #appendText(event: string): void {
    this.journal.append(event);
    if (this.journal.isBehind) void this.journal.caughtUp()?.then(() => this.#wake());
    else this.#wake();
  }

  #wake(): void {
    for (const { wake } of this.#subscribers) wake();
  }
}

/** Who follows a session. */
export interface Subscriber {
  /** Called when the journal has new events, and when `isFree` may have changed. */
  wake(): void;
  /** The session is no more. */
  ended?(): void;
}

/** Between tries to start an agent for prompts that nobody waits for, ms. */
const START_LATER_MS = 250;
