import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import type { Agent, ModelChoice } from "./launch.ts";
import { Pi, type PiObserver } from "./pi.ts";

/** Longest wait for pi's answer, ms; it takes 0.3 s on an idle machine. */
const PROBE_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 2000;

/**
 * Whether pi finds credentials for any model, asked once; without any, sessions run on the script.
 * If pi can't even be asked the answer is "configured", so that its own error is what the owner sees.
 */
export class ModelProbe {
  #answer: Promise<ModelChoice> | undefined;
  #pi: Pi | undefined;
  #isStopped = false;
  readonly #agent: Agent;
  readonly #cwd: string;
  readonly #clock: Clock;
  readonly #log: Log;

  /** @param forced - decided already, by `--demo` */
  constructor(agent: Agent, cwd: string, clock: Clock, log: Log, forced?: ModelChoice) {
    this.#agent = agent;
    this.#cwd = cwd;
    this.#clock = clock;
    this.#log = log;
    if (forced !== undefined) this.#answer = Promise.resolve(forced);
  }

  choose(): Promise<ModelChoice> {
    this.#answer ??= this.#ask();
    return this.#answer;
  }

  /** Ends the process that is being asked, if there is one; SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    await this.#pi?.stop(graceMs);
  }

  async #ask(): Promise<ModelChoice> {
    if (this.#isStopped) return "configured";
    let models: unknown;
    try {
      models = await this.#availableModels();
    } catch (error) {
      if (!this.#isStopped)
        this.#log.warn("agent_probe_failed", { reason: (error as Error).message });
      return "configured";
    }
    if (!Array.isArray(models) || models.length > 0) return "configured";
    this.#log.warn("scripted_model", {
      reason:
        "pi has no credentials for any model: answers come from a script, not from a real model",
      fix: "set a provider's key, such as ANTHROPIC_API_KEY or OPENAI_API_KEY, in Nest's environment and restart",
    });
    return "scripted";
  }

  async #availableModels(): Promise<unknown> {
    const pi = new Pi(this.#agent.probe(this.#cwd), SILENT, this.#clock);
    this.#pi = pi;
    const cancel = this.#clock.after(PROBE_TIMEOUT_MS, () => void pi.stop(0));
    try {
      const { data } = await pi.request({ type: "get_available_models" });
      return (data as { models?: unknown } | undefined)?.models;
    } finally {
      cancel();
      await pi.stop(STOP_GRACE_MS);
      this.#pi = undefined;
    }
  }
}

const SILENT: PiObserver = { event() {}, garbage() {}, stderr() {} };
