import { join } from "node:path";
import { bootId, DiskJournal } from "../agent/disk-journal.ts";
import { Agent, AgentMissing, type AgentOptions } from "../agent/launch.ts";
import { ModelProbe } from "../agent/model-probe.ts";
import { Sessions } from "../agent/sessions.ts";
import type { Clock } from "../clock.ts";
import type { Config } from "../config/config.ts";
import type { Log } from "../log/log.ts";
import { imageReader } from "../vault/image.ts";
import type { Vault } from "../vault/vault.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";
import { stateFolder } from "./state-folder.ts";

/** Events kept per session (contract section 5). */
const MAX_EVENTS = 10_000;
const MAX_EVENT_BYTES = 64 * 1024 * 1024;

export interface SessionParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** Nest's environment, of which the agent gets an allow-list. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Answers come from pi's scripted model whatever is configured. */
  readonly demo: boolean;
  readonly vault: Vault;
}

/**
 * The sessions of a gateway, and whether pi has a model for them. Nothing is started yet.
 *
 * @throws {Exit} in one line, if there is no pi
 */
export function sessionParts({ config, clock, log, env, demo, vault }: SessionParts): {
  readonly sessions: Sessions;
  readonly models: ModelProbe;
} {
  const agent = findAgent({ ...config.agent, ownEnv: env });
  const forced = demo ? "scripted" : undefined;
  const models = new ModelProbe(agent, config.vault.path, clock, log, forced);
  const readImage = imageReader(vault);
  const boot = bootId();
  const sessions = new Sessions({
    dir: stateFolder(config.file),
    configured: new Set(config.sessions.keys()),
    settings: (name, dir) => ({
      cwd: config.sessions.get(name)?.cwd ?? config.vault.path,
      idleMs: (config.sessions.get(name)?.idleMinutes ?? 0) * 60_000,
      agent,
      models,
      journal: new DiskJournal({
        dir: join(dir, "journal"),
        maxEvents: MAX_EVENTS,
        maxBytes: MAX_EVENT_BYTES,
        bootId: boot,
        clock,
        log,
      }),
      clock,
      log,
      readImage,
    }),
    log,
  });
  return { sessions, models };
}

function findAgent(options: AgentOptions): Agent {
  try {
    return new Agent(options);
  } catch (error) {
    if (error instanceof AgentMissing) throw new Exit(EXIT_USAGE, error.message);
    throw error;
  }
}
