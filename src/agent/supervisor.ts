import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import {
  type Answered,
  Pi,
  type PiCommand,
  PiExited,
  type PiExit,
  type PiLaunch,
  type PiObserver,
  type PiRecord,
} from "./pi.ts";

export interface SupervisorObserver {
  event(record: PiRecord, line: string): void;
  /** The process runs and answers. */
  ready(pid: number): void;
  /** A process that had been ready ended by itself; the next one starts after `restartMs`. */
  exited(exit: PiExit, restartMs: number): void;
  /** A process could not be started, or ended before it answered; the next try is after `restartMs`, on demand. */
  failed(restartMs: number, reason: string): void;
  /** See {@link PiObserver.hold}. */
  hold(): Promise<void> | undefined;
}

/** First pause before a restart, ms; it doubles with every crash. */
const FIRST_RESTART_MS = 250;
const MAX_RESTART_MS = 30_000;
/** A process that lived this long has shown that it works: pauses begin anew. */
const HEALTHY_AFTER_MS = 60_000;
/** Longest wait for a new process to answer, ms. */
const START_TIMEOUT_MS = 60_000;
/** Requests kept while no process runs, count. */
const MAX_WAITING = 256;

const STOPPING = "Nest is stopping";

/** The answer to commands that no process will take. */
export class AgentUnavailable extends Error {
  override readonly name = "AgentUnavailable";
}

/** Called with the process once it is ready, or with why there will be none. */
type Waiting = (pi: Pi | AgentUnavailable) => void;

/** As {@link Answered}, where there may be no process to ask. */
export type Delivered = (answer: Parameters<Answered>[0] | AgentUnavailable) => void;

/**
 * Keeps one pi process: started on first use, started again after a crash with growing pauses.
 *
 * Requests are handed over in the order of the calls. While a process starts they wait; if it can't be started they are
 * rejected, and the next request tries again once the pause is over.
 */
export class Supervisor {
  readonly #launch: () => Promise<PiLaunch>;
  readonly #observer: SupervisorObserver;
  readonly #clock: Clock;
  readonly #log: Log;
  #pi: Pi | undefined;
  /** Set from the moment a process is wanted until it is ready or has failed. */
  #starting: Promise<void> | undefined;
  #startingPi: Pi | undefined;
  #crashes = 0;
  #notBeforeMs = 0;
  #cancelRestart = () => {};
  #waiting: Waiting[] = [];
  #stopped = false;

  constructor(
    launch: () => Promise<PiLaunch>,
    observer: SupervisorObserver,
    clock: Clock,
    log: Log,
  ) {
    this.#launch = launch;
    this.#observer = observer;
    this.#clock = clock;
    this.#log = log;
  }

  /** Starts the process if none runs; settles when it answers or could not be started. Never rejects. */
  async start(): Promise<void> {
    if (this.#pi !== undefined || this.#stopped) return;
    if (this.#starting === undefined) {
      if (this.#pauseMs() > 0) return;
      this.#begin();
    }
    await this.#starting;
  }

  /**
   * Passes a command on.
   *
   * @param answered - called once: with the response, with {@link PiExited} if the process ended before it answered,
   *   or with {@link AgentUnavailable} if there is none
   */
  send(command: PiCommand, answered: Delivered, label?: string | number): void {
    this.#whenReady((pi) => {
      if (pi instanceof AgentUnavailable) answered(pi);
      else if (pi.isOverloaded)
        answered(new AgentUnavailable("the agent does not take what was sent before"));
      else pi.send(command, answered, label);
    });
  }

  /** Calls `run` once, in the order of the calls of {@link send}: when a process is ready, or with why there is none. */
  whenReady(run: (unavailable: AgentUnavailable | undefined) => void): void {
    this.#whenReady((pi) => run(pi instanceof AgentUnavailable ? pi : undefined));
  }

  #whenReady(run: Waiting): void {
    if (this.#pi !== undefined) run(this.#pi);
    else if (this.#stopped) run(new AgentUnavailable(STOPPING));
    else if (this.#waiting.length >= MAX_WAITING) {
      run(new AgentUnavailable(`${MAX_WAITING} commands already wait for the agent to start`));
    } else if (this.#starting === undefined && this.#pauseMs() > 0) {
      const seconds = Math.ceil(this.#pauseMs() / 1000);
      run(new AgentUnavailable(`the agent could not be started; next try in ${seconds} s`));
    } else {
      this.#waiting.push(run);
      if (this.#starting === undefined) this.#begin();
    }
  }

  /** Passes on a record that has no response, if a process runs to take it. */
  notify(record: PiCommand): void {
    (this.#pi ?? this.#startingPi)?.notify(record);
  }

  labelOf(id: unknown): string | number | undefined {
    return (this.#pi ?? this.#startingPi)?.labelOf(id);
  }

  /** A process runs or is being started. */
  get isRunning(): boolean {
    return this.#pi !== undefined || this.#starting !== undefined;
  }

  /** Commands that wait for an answer, count. */
  get pending(): number {
    return (this.#pi?.pending ?? 0) + this.#waiting.length;
  }

  /**
   * Ends the process until the next command; SIGKILL after `graceMs`.
   *
   * @param gone - called when it has ended, before the next one starts
   * @returns false if no process is ready
   */
  rest(graceMs: number, gone: () => void): boolean {
    const pi = this.#pi;
    if (pi === undefined || this.#stopped) return false;
    this.#pi = undefined;
    // The end counts as a start: what arrives in it waits for the next process, and two never share a conversation.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#starting = promise;
    this.#startingPi = pi;
    void pi.stop(graceMs).then(() => {
      this.#starting = undefined;
      this.#startingPi = undefined;
      gone();
      resolve();
      if (this.#waiting.length > 0 && !this.#stopped) this.#begin();
    });
    return true;
  }

  /** Ends the process for good; SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#stopped = true;
    this.#cancelRestart();
    await Promise.all([this.#pi?.stop(graceMs), this.#startingPi?.stop(graceMs)]);
    this.#rejectWaiting(STOPPING);
  }

  #begin(): void {
    const starting = this.#run().finally(() => {
      // A process may have been ready and gone by now, and the pause before the next is a start of its own.
      if (this.#starting === starting) this.#starting = undefined;
      this.#startingPi = undefined;
    });
    this.#starting = starting;
  }

  async #run(): Promise<void> {
    const startedMs = this.#clock.monotonicMs();
    try {
      const launch = await this.#launch();
      if (this.#stopped) return;
      const observer: PiObserver = {
        event: (record, line) => this.#observer.event(record, line),
        stderr: (line) => this.#log.info("agent_stderr", { line }),
        garbage: (reason) => this.#log.warn("agent_garbage", { reason }),
        hold: () => this.#observer.hold(),
      };
      const pi = new Pi(launch, observer, this.#clock);
      this.#startingPi = pi;
      const cancel = this.#clock.after(START_TIMEOUT_MS, () => void pi.stop(0));
      try {
        await pi.request({ type: "get_state" });
      } finally {
        cancel();
      }
      this.#pi = pi;
      void pi.exited.then((exit) => {
        if (this.#pi === pi) this.#ended(exit, startedMs);
      });
      this.#observer.ready(pi.pid);
      this.#flush(pi);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #flush(pi: Pi): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run(pi);
  }

  #ended(exit: PiExit, startedMs: number): void {
    this.#pi = undefined;
    if (this.#stopped) return;
    if (this.#clock.monotonicMs() - startedMs > HEALTHY_AFTER_MS) this.#crashes = 0;
    const restartMs = this.#pauseAfterCrash();
    this.#log.error("agent_exited", {
      code: exit.code ?? undefined,
      signal: exit.signal ?? undefined,
      restartMs,
    });
    this.#observer.exited(exit, restartMs);
    // The pause counts as starting: what arrives in it waits for the next process.
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#starting = promise;
    this.#cancelRestart = this.#clock.after(restartMs, () => {
      this.#starting = undefined;
      this.#begin();
      resolve();
    });
  }

  #failed(error: Error): void {
    if (this.#stopped) return;
    const restartMs = this.#pauseAfterCrash();
    this.#notBeforeMs = this.#clock.monotonicMs() + restartMs;
    const reason = error instanceof PiExited ? "it ended before it answered" : error.message;
    this.#log.error("agent_start_failed", { reason, restartMs });
    this.#rejectWaiting(`the agent could not be started: ${reason}`);
    this.#observer.failed(restartMs, `the agent could not be started: ${reason}`);
  }

  #rejectWaiting(reason: string): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const run of waiting) run(new AgentUnavailable(reason));
  }

  #pauseAfterCrash(): number {
    return Math.min(FIRST_RESTART_MS * 2 ** this.#crashes++, MAX_RESTART_MS);
  }

  #pauseMs(): number {
    return this.#notBeforeMs - this.#clock.monotonicMs();
  }
}
