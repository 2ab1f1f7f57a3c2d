import type { Clock } from "../clock.ts";

/** Between two updates of one tool call, ms: as often as a person can follow. */
const UPDATE_EVERY_MS = 100;
/** Calls whose updates are held back at a time; more pass at once. */
const MAX_HELD = 64;

interface Call {
  /** Passes on the newest update that was held back. */
  newest: (() => void) | undefined;
  cancel: () => void;
}

/**
 * Thins out `tool_execution_update`: each repeats the whole output so far, so of many the last says it all. The first
 * of a call passes at once, then the newest every {@link UPDATE_EVERY_MS}; the end of the call makes what is held
 * back superfluous, since it has the whole result.
 */
export class ToolUpdates {
  readonly #clock: Clock;
  readonly #calls = new Map<string, Call>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** @param pass - called now, later or never, with the update in its closure */
  update(toolCallId: string, pass: () => void): void {
    const call = this.#calls.get(toolCallId);
    if (call !== undefined) call.newest = pass;
    else {
      pass();
      if (this.#calls.size < MAX_HELD) this.#wait(toolCallId);
    }
  }

  /** The call is over. */
  end(toolCallId: string): void {
    this.#calls.get(toolCallId)?.cancel();
    this.#calls.delete(toolCallId);
  }

  /** Passes on what is held back: nothing will follow. */
  flush(): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { newest, cancel } of calls) {
      cancel();
      newest?.();
    }
  }

  #wait(toolCallId: string): void {
    const cancel = this.#clock.after(UPDATE_EVERY_MS, () => {
      const newest = this.#calls.get(toolCallId)?.newest;
      this.#calls.delete(toolCallId);
      if (newest === undefined) return;
      newest();
      this.#wait(toolCallId);
    });
    this.#calls.set(toolCallId, { newest: undefined, cancel });
  }
}
