import type { Clock } from "../clock.ts";
import type { Log } from "../log/log.ts";
import type { Agent, ModelChoice } from "./launch.ts";
import { Pi } from "./pi.ts";

/** Longest wait for pi's answer, ms; it takes 0.3 s on an idle machine. */
const PROBE_TIMEOUT_MS = 30_000;
const STOP_GRACE_MS = 2000;

/**
 * Whether pi finds credentials for any model, asked once; without any, sessions run on the script.
 * If pi can't even be asked the answer is "configured", so that its own error is what the owner sees.
 */
export class ModelProbe {
  #answer: Promise<ModelChoice> | undefined;
  readonly #ask: () => Promise<ModelChoice>;

  /** @param forced - decided already, by `--demo` */
  constructor(agent: Agent, cwd: string, clock: Clock, log: Log, forced?: ModelChoice) {
    this.#ask = () => probe(agent, cwd, clock, log);
    if (forced !== undefined) this.#answer = Promise.resolve(forced);
  }

  choose(): Promise<ModelChoice> {
    this.#answer ??= this.#ask();
    return this.#answer;
  }
}

async function probe(agent: Agent, cwd: string, clock: Clock, log: Log): Promise<ModelChoice> {
  const ignore = () => {};
  let models: unknown;
  try {
    const pi = new Pi(agent.probe(cwd), { event: ignore, garbage: ignore, stderr: ignore }, clock);
    const cancel = clock.after(PROBE_TIMEOUT_MS, () => void pi.stop(0));
    try {
      const { data } = await pi.request({ type: "get_available_models" });
      models = (data as { models?: unknown } | undefined)?.models;
    } finally {
      cancel();
      await pi.stop(STOP_GRACE_MS);
    }
  } catch (error) {
    log.warn("agent_probe_failed", { reason: (error as Error).message });
    return "configured";
  }
  if (!Array.isArray(models) || models.length > 0) return "configured";
  log.warn("scripted_model", {
    reason:
      "pi has no credentials for any model: answers come from a script, not from a real model",
    fix: "set a provider's key, such as ANTHROPIC_API_KEY or OPENAI_API_KEY, in Nest's environment and restart",
  });
  return "scripted";
}
