import type { Clock } from "../clock.ts";
import { LineSplitter } from "./jsonl.ts";
import { killMarked, MARK } from "./orphans.ts";

/** How to start one pi process. */
export interface PiLaunch {
  /** Program and arguments, `--mode rpc` included. */
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Marks the process and what it starts, see `orphans.ts` · one that is made up. */
  readonly mark?: string;
}

/** A record for pi's stdin. */
export type PiCommand = Readonly<Record<string, unknown>> & { readonly type: string };

/** A record from pi's stdout: a response or an event. */
export interface PiRecord {
  readonly type: string;
  readonly [key: string]: unknown;
}

export interface PiResponse extends PiRecord {
  readonly type: "response";
  readonly command: string;
  readonly success: boolean;
  readonly data?: unknown;
  readonly error?: string;
}

/** How a process ended. */
export interface PiExit {
  readonly code: number | null;
  readonly signal: string | number | null;
}

export interface PiObserver {
  /** Every record that is not the answer to a request, in order, with its own text (one line of JSON). */
  event(record: PiRecord, line: string): void;
  /** A line of stderr, cut to 2,000 characters. */
  stderr(line: string): void;
  /** Something on stdout that is no record: too long, or not JSON. */
  garbage(reason: string): void;
  /** While this is unsettled nothing more is read of stdout, so that pi has to wait. */
  hold?(): Promise<void> | undefined;
}

/** Longest record read from pi: a whole conversation with images comes as one. Bytes. */
const MAX_RECORD_BYTES = 64 * 1024 * 1024;
const MAX_STDERR_LINE_BYTES = 2000;
/** How long the output of a process that has ended is still read, ms. */
const ORPHAN_WAIT_MS = 1000;
const ENDED = "the agent's process ended";
/** Commands that pi has not answered, UTF-16 code units: one that hangs must not collect what clients send. */
const MAX_PENDING_LENGTH = 64 * 1024 * 1024;

/** Told of a request's end, in the very turn in which pi's answer was read: events behind it come after it. */
export type Answered = (answer: PiResponse | PiExited) => void;

interface Pending {
  readonly answered: Answered;
  readonly label: string | number | undefined;
  readonly length: number;
}

/** Raised for requests that pi can no longer answer. */
export class PiExited extends Error {
  override readonly name = "PiExited";
}

/**
 * One `pi --mode rpc` process, in a process group of its own.
 *
 * Requests are correlated by ids of ours; every pending one is rejected when the process ends, and with it ends
 * everything it started.
 */
export class Pi {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "pipe">;
  readonly #mark: string;
  readonly #observer: PiObserver;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Pending>();
  #pendingLength = 0;
  #nextId = 1;
  #ended = false;
  /** Settles once the process, its output and all that it started have gone. */
  readonly exited: Promise<PiExit>;

  /** @throws {Error} if the program can't be started */
  constructor({ argv, cwd, env, mark }: PiLaunch, observer: PiObserver, clock: Clock) {
    this.#mark = mark ?? crypto.randomUUID();
    this.#observer = observer;
    this.#clock = clock;
    this.#child = Bun.spawn([...argv], {
      cwd,
      env: { ...env, [MARK]: this.#mark },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "pipe",
      detached: true,
    });
    this.exited = this.#watch(Promise.allSettled([this.#readStdout(), this.#readStderr()]));
  }

  /** It has more to do than it may: pass nothing on. */
  get isOverloaded(): boolean {
    return this.#pendingLength > MAX_PENDING_LENGTH;
  }

  /** Commands that wait for an answer, count. */
  get pending(): number {
    return this.#pending.size;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /**
   * Sends a command.
   *
   * @param command - a record without `id`
   * @param answered - called once, with the response, which may be `success: false`, or with the end of the process
   * @param label - the caller's own name for the request, see {@link labelOf}
   */
  send(command: PiCommand, answered: Answered, label?: string | number): void {
    if (this.#ended) {
      answered(new PiExited(ENDED));
      return;
    }
    const id = `nest-${this.#nextId++}`;
    const line = JSON.stringify({ ...command, id });
    this.#pendingLength += line.length;
    this.#pending.set(id, { answered, label, length: line.length });
    this.#write(line);
  }

  /**
   * As {@link send}, for callers to whom the order beside events does not matter.
   *
   * @throws {PiExited} if the process ends first
   */
  request(command: PiCommand): Promise<PiResponse> {
    return new Promise((resolve, reject) => {
      this.send(command, (answer) =>
        answer instanceof PiExited ? reject(answer) : resolve(answer),
      );
    });
  }

  /** The label of the pending request that pi knows as `id`; some events name it. */
  labelOf(id: unknown): string | number | undefined {
    return this.#pending.get(id as string)?.label;
  }

  /** Sends a record that has no response. */
  notify(record: PiCommand): void {
    if (!this.#ended) this.#write(JSON.stringify(record));
  }

  #write(line: string): void {
    try {
      this.#child.stdin.write(`${line}\n`);
      // A broken pipe shows as the exit that caused it.
      void Promise.resolve(this.#child.stdin.flush()).catch(() => {});
    } catch {
      // As above.
    }
  }

  /** Ends the process: SIGTERM, on which pi ends its tools, then SIGKILL to the whole group after `graceMs`. */
  async stop(graceMs: number): Promise<PiExit> {
    this.#child.kill("SIGTERM");
    const cancel = this.#clock.after(graceMs, () => {
      try {
        process.kill(-this.#child.pid, "SIGKILL");
      } catch {
        // It ended in the meantime.
      }
    });
    try {
      return await this.exited;
    } finally {
      cancel();
    }
  }

  async #watch(output: Promise<unknown>): Promise<PiExit> {
    await this.#child.exited;
    this.#ended = true;
    // First the tools: an orphan that holds stdout open would keep the readers waiting. One that can't be found
    // may hold it for ever, so the wait has an end.
    killMarked(this.#mark);
    const { promise: tooLong, resolve } = Promise.withResolvers<void>();
    const cancel = this.#clock.after(ORPHAN_WAIT_MS, resolve);
    await Promise.race([output, tooLong]);
    cancel();
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    for (const { answered } of pending) answered(new PiExited(ENDED));
    return { code: this.#child.exitCode, signal: this.#child.signalCode };
  }

  async #readStdout(): Promise<void> {
    const lines = new LineSplitter(MAX_RECORD_BYTES);
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stdout) {
      lines.push(
        chunk,
        (line) => this.#record(decoder.decode(line)),
        (bytes) => this.#observer.garbage(`a record of ${bytes} bytes`),
      );
      await this.#observer.hold?.();
    }
  }

  async #readStderr(): Promise<void> {
    const lines = new LineSplitter(MAX_STDERR_LINE_BYTES);
    const decoder = new TextDecoder();
    for await (const chunk of this.#child.stderr) {
      lines.push(
        chunk,
        (line) => this.#observer.stderr(decoder.decode(line)),
        (bytes) => this.#observer.stderr(`(a line of ${bytes} bytes)`),
      );
    }
  }

  #record(line: string): void {
    let record: PiRecord;
    try {
      record = JSON.parse(line) as PiRecord;
      if (typeof record?.type !== "string") throw new TypeError("no type");
    } catch {
      this.#observer.garbage("a line that is no JSON record");
      return;
    }
    // Whatever goes wrong with one record must not end the reading of the next.
    try {
      if (record.type === "response") this.#answer(record as PiResponse);
      else this.#observer.event(record, line);
    } catch (error) {
      this.#observer.garbage(`a record that can't be passed on: ${(error as Error).message}`);
    }
  }

  #answer(response: PiResponse): void {
    const id = response["id"] as string;
    const pending = this.#pending.get(id);
    if (pending === undefined) {
      this.#observer.garbage("a response to no request");
      return;
    }
    this.#pending.delete(id);
    this.#pendingLength -= pending.length;
    pending.answered(response);
  }
}
