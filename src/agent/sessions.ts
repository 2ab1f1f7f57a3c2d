import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Log } from "../log/log.ts";
import { isUnsettled } from "./prompt-notes.ts";
import { SESSION_NAME } from "./session-name.ts";
import { Session, type SessionOptions } from "./session.ts";

/** What a session is made of, beside its name and the folder it lives in. */
export type SessionSettings = Omit<SessionOptions, "name" | "dir">;

export interface SessionsOptions {
  /** Holds a folder for each session. */
  readonly dir: string;
  /** Names in the config. */
  readonly configured: ReadonlySet<string>;
  /** Called when a session is first used. */
  readonly settings: (name: string, dir: string) => SessionSettings;
  readonly log: Log;
}

/** One line of the list. */
export interface SessionInfo {
  readonly name: string;
  /** Named in the config, or made through the API. */
  readonly configured: boolean;
  readonly state: "idle" | "busy";
  /** The agent's process runs. */
  readonly running: boolean;
  /** Number of its newest event, if it has been used since Nest started. */
  readonly seq?: number;
}

/** Why a session can't be made or ended. */
export class SessionRefused extends Error {
  override readonly name = "SessionRefused";
  readonly code: "invalid_name" | "too_many_sessions" | "session_not_found" | "storage_unavailable";

  constructor(code: SessionRefused["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Its folder can't be used: a disk that is full or fails. */
export class SessionUnavailable extends Error {
  override readonly name = "SessionUnavailable";
}

/** Sessions made through the API, count: each may have a process of some 105 MB. */
const MAX_CREATED = 64;
/** In the folder of a session made through the API. */
const CREATED = "created";

/**
 * The sessions that the config names and those that were made through the API; each is opened on first use. One that
 * was made has a file `created` in its folder, so it is there after a restart. Ending it takes only that file away: its
 * conversation stays on disk, and goes on when it is made again.
 */
export class Sessions {
  readonly #options: SessionsOptions;
  readonly #sessions = new Map<string, Session>();
  readonly #created: Set<string>;
  #isStopping = false;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#created = new Set(foldersIn(options.dir).filter((name) => this.#isMarked(name)));
  }

  /** Sessions in use. */
  get size(): number {
    return this.#sessions.size;
  }

  has(name: string): boolean {
    return this.#options.configured.has(name) || this.#created.has(name);
  }

  /**
   * `undefined` if no session has this name, or it is not in use and Nest stops.
   *
   * @throws {SessionUnavailable}
   */
  get(name: string): Session | undefined {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    if (this.#isStopping || !this.has(name)) return undefined;
    const { settings, log, dir: root } = this.#options;
    const dir = join(root, name);
    try {
      const session = new Session({ ...settings(name, dir), name, dir });
      this.#sessions.set(name, session);
      return session;
    } catch (error) {
      log.error("session_failed", { session: name, reason: (error as Error).message });
      throw new SessionUnavailable(`Cannot open the session "${name}": its folder can't be used`);
    }
  }

  /** Opens the sessions in which a Nest that died left something to do. */
  recover(): void {
    for (const name of [...this.#options.configured, ...this.#created]) {
      if (!isUnsettled(join(this.#options.dir, name, "prompts.log"))) continue;
      try {
        this.get(name);
      } catch {
        // Logged; the others are to be had.
      }
    }
  }

  /** All of them, by name. */
  list(): SessionInfo[] {
    const names = [...new Set([...this.#options.configured, ...this.#created])].toSorted();
    return names.map((name) => this.info(name));
  }

  info(name: string): SessionInfo {
    const session = this.#sessions.get(name);
    return {
      name,
      configured: this.#options.configured.has(name),
      state: session?.state ?? "idle",
      running: session?.isRunning ?? false,
      ...(session !== undefined && { seq: session.journal.lastSeq }),
    };
  }

  /**
   * Makes a session, for good.
   *
   * @returns false if it is there already
   * @throws {SessionRefused}
   */
  create(name: string): boolean {
    if (!SESSION_NAME.test(name)) {
      throw new SessionRefused(
        "invalid_name",
        "Expected a name of a to z, 0 to 9, _ and -, at most 64, a letter or digit first",
      );
    }
    if (this.has(name)) return false;
    if (this.#created.size >= MAX_CREATED) {
      throw new SessionRefused(
        "too_many_sessions",
        `Cannot make another: ${MAX_CREATED} are there`,
      );
    }
    const dir = join(this.#options.dir, name);
    try {
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      writeFileSync(join(dir, CREATED), "", { mode: 0o600 });
    } catch (error) {
      this.#options.log.error("session_failed", {
        session: name,
        reason: (error as Error).message,
      });
      throw new SessionRefused(
        "storage_unavailable",
        "Cannot make the session: the disk takes nothing now",
      );
    }
    this.#created.add(name);
    return true;
  }

  /**
   * Ends a session: the agent's process of one in the config, which comes back on the next use; one that was made is no
   * longer there.
   *
   * @throws {SessionRefused}
   */
  async end(name: string, graceMs: number): Promise<void> {
    if (!this.has(name)) throw new SessionRefused("session_not_found", "No session has this name");
    const session = this.#sessions.get(name);
    if (this.#options.configured.has(name)) {
      await session?.rest("asked");
      return;
    }
    this.#created.delete(name);
    rmSync(join(this.#options.dir, name, CREATED), { force: true });
    // Until its process is gone nobody gets another one with the same files.
    await session?.stop(graceMs);
    this.#sessions.delete(name);
  }

  /** Ends all agents; SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.stop(graceMs)));
  }

  #isMarked(name: string): boolean {
    return SESSION_NAME.test(name) && existsSync(join(this.#options.dir, name, CREATED));
  }
}

function foldersIn(dir: string): string[] {
  try {
    return readdirSync(dir);
  } catch {
    return [];
  }
}
