import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import type { Command, Image, InlineImage } from "./commands.ts";
import { type DialogResult, Dialogs } from "./dialogs.ts";
import type { Journal } from "./journal.ts";
import type { Agent, ModelChoice } from "./launch.ts";
import type { ModelProbe } from "./model-probe.ts";
import { type PiExit, PiExited, type PiRecord } from "./pi.ts";
import { hidePaths, type HostPaths, publicData, publicEvent } from "./public-view.ts";
import { type Delivered, Supervisor } from "./supervisor.ts";

/** The answer to a command. */
export type Reply =
  | { readonly success: true; readonly data?: unknown }
  | { readonly success: false; readonly error: string; readonly code?: string };

export interface SessionOptions {
  readonly name: string;
  /** The agent's working folder, absolute. */
  readonly cwd: string;
  /** Where its conversations are kept, absolute; made with mode 0700. */
  readonly dir: string;
  readonly agent: Agent;
  readonly models: ModelProbe;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** Fetches an image from the vault. @throws {Error} whose message may be shown */
  readonly readImage: (path: string) => InlineImage;
}

type Fields = Readonly<Record<string, unknown>>;

/** A prompt with an idempotency key, and who waits for its result. */
interface KeyedPrompt {
  result?: Reply;
  readonly waiting: ((reply: Reply) => void)[];
}

/** Prompts whose keys are remembered, count. */
const MAX_KEYS = 1000;
const BUSY_STARTING = "Cannot run this: too many commands wait for the agent";
/** Commands kept while pi decides on an offered prompt, count. */
const MAX_HELD = 256;
/** Commands that begin a turn or can't bear one: until pi has answered, nothing is offered. */
const TURN_TAKING = new Set<string>([
  "prompt",
  "steer",
  "follow_up",
  "compact",
  "new_session",
  "fork",
  "clone",
]);

/**
 * One named, long-lived conversation with one pi process.
 *
 * Commands reach pi in the order of the calls. Every event of pi's is numbered into the journal, and events of ours
 * beside them: `agent_exit` and `agent_ready` around a crash, `extension_ui_resolved` when a dialog is over.
 */
export class Session {
  readonly name: string;
  readonly journal: Journal;
  readonly #options: SessionOptions;
  readonly #supervisor: Supervisor;
  readonly #dialogs: Dialogs;
  readonly #subscribers = new Set<() => void>();
  readonly #prompts = new Map<string, KeyedPrompt>();
  #paths: HostPaths;
  #model: ModelChoice | undefined;
  #busy = false;
  #wasReady = false;
  /** Turn-taking commands that pi has not answered. */
  #undecided = 0;
  /** Clients' commands behind an offered prompt; set while there is one. */
  #held: (() => void)[] | undefined;

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
        failed: (restartMs) => this.#onExit({ code: null, signal: null }, restartMs),
      },
      options.clock,
      options.log,
    );
  }

  /** `busy` from the start of a turn until the agent has settled. */
  get state(): "idle" | "busy" {
    return this.#busy ? "busy" : "idle";
  }

  /** True while no turn runs and nobody's is on its way: then a prompt may be offered. */
  get isFree(): boolean {
    return !this.#busy && this.#undecided === 0;
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

  /** `wake` is called after every new entry of the journal and when `isFree` may have changed; the returned function ends that. */
  subscribe(wake: () => void): () => void {
    this.#subscribers.add(wake);
    return () => this.#subscribers.delete(wake);
  }

  /**
   * Runs a command. It is handed to pi before this returns, if pi runs.
   *
   * @param reply - called once; between events exactly where pi's answer stands between them
   */
  submit(command: Command, reply: (reply: Reply) => void): void {
    if (command.type === "extension_ui_response") {
      reply(this.#answerDialog(command));
      return;
    }
    if (this.#held !== undefined && command.type !== "abort") {
      if (this.#held.length < MAX_HELD) this.#held.push(() => this.submit(command, reply));
      else reply({ success: false, code: "agent_unavailable", error: BUSY_STARTING });
      return;
    }
    const { key, ...fields } = command.fields as { key?: string };
    if (key === undefined) this.#run(command, fields, reply);
    else this.#runOnce(key, command, fields, reply);
  }

  /**
   * A prompt that no client sent and that comes after whatever clients do; only while `isFree`. Until pi has taken or
   * refused it, clients' commands wait: two prompts that pi weighs at once both get a yes, and one of them is lost.
   *
   * @param reply - called once
   */
  offer(message: string, reply: (reply: Reply) => void): void {
    this.#held = [];
    this.#run({ type: "prompt", fields: {} }, { message }, (answer) => {
      const held = this.#held ?? [];
      this.#held = undefined;
      reply(answer);
      for (const submit of held) submit();
    });
  }

  /** Ends the agent for good: SIGTERM, then SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    await this.#supervisor.stop(graceMs);
    this.#dialogs.cancelAll();
  }

  async #launch() {
    const { agent, models, cwd, dir } = this.#options;
    this.#model = await models.choose();
    // Scripted talk has no place in a real conversation.
    const sessionDir = this.#model === "scripted" ? join(dir, "scripted") : dir;
    mkdirSync(sessionDir, { recursive: true, mode: 0o700 });
    mkdirSync(cwd, { recursive: true });
    this.#paths = agent.hostPaths(cwd, sessionDir);
    return agent.launch(cwd, sessionDir, this.#model);
  }

  #runOnce(key: string, command: Command, fields: Fields, reply: (reply: Reply) => void): void {
    const first = this.#prompts.get(key);
    if (first?.result !== undefined) reply(first.result);
    else if (first !== undefined) first.waiting.push(reply);
    else {
      const prompt: KeyedPrompt = { waiting: [reply] };
      this.#prompts.set(key, prompt);
      if (this.#prompts.size > MAX_KEYS) {
        this.#prompts.delete(this.#prompts.keys().next().value as string);
      }
      this.#run(command, fields, (result) => {
        prompt.result = result;
        // Refused before it ran: the key is free again. Whether a process that died had begun it nobody knows.
        if (!result.success && result.code !== "agent_exited") this.#prompts.delete(key);
        for (const waiting of prompt.waiting.splice(0)) waiting(result);
      });
    }
  }

  #run({ type, id }: Command, fields: Fields, reply: (reply: Reply) => void): void {
    let complete: Fields;
    try {
      complete = this.#withImages(fields);
    } catch (error) {
      reply({ success: false, code: "image_unavailable", error: (error as Error).message });
      return;
    }
    const takesTurn = TURN_TAKING.has(type);
    if (takesTurn) this.#undecided++;
    this.#supervisor.send(
      { ...complete, type },
      (answer) => {
        if (takesTurn) this.#undecided--;
        reply(this.#replyOf(type, answer));
        if (takesTurn) this.#wake();
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

  #withImages(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
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
    // Passed on first: whoever sees the dialog resolved may rely on it.
    this.#supervisor.notify({ type: "extension_ui_response", id, ...result });
    this.#dialogs.resolve(id, result);
    return { success: true };
  }

  #onEvent(record: PiRecord, line: string): void {
    switch (record.type) {
      case "agent_start":
        this.#busy = true;
        break;
      case "agent_settled":
        this.#busy = false;
        break;
      case "extension_ui_request":
        this.#dialogs.ask(record);
        break;
      case "bash_execution_update":
        // Ids inside pi are ours; the client knows its own.
        this.#append({ ...record, id: this.#supervisor.labelOf(record["id"]) });
        return;
    }
    const event = publicEvent(record, line, this.#paths);
    if (event !== undefined) this.#appendText(event);
  }

  #onReady(pid: number): void {
    this.#options.log.info("agent_ready", { session: this.name, pid, scripted: this.isScripted });
    if (this.#wasReady) this.#append({ type: "agent_ready", scripted: this.isScripted });
    this.#wasReady = true;
  }

  #onExit({ code, signal }: PiExit, restartMs: number): void {
    this.#dialogs.cancelAll();
    const interrupted = this.#busy;
    this.#busy = false;
    this.#append({ type: "agent_exit", code, signal, interrupted, restartMs });
  }

  #append(event: Readonly<Record<string, unknown>>): void {
    this.#appendText(JSON.stringify(event));
  }

  #appendText(event: string): void {
    this.journal.append(event);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#subscribers) wake();
  }
}
