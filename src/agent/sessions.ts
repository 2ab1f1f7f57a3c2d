import { Session, type SessionOptions } from "./session.ts";

/** The configured sessions; each is made on first use. */
export class Sessions {
  readonly #make: ReadonlyMap<string, () => SessionOptions>;
  readonly #sessions = new Map<string, Session>();
  #isStopping = false;

  constructor(make: ReadonlyMap<string, () => SessionOptions>) {
    this.#make = make;
  }

  /** Sessions in use. */
  get size(): number {
    return this.#sessions.size;
  }

  /** `undefined` if no session has this name, or it is not in use and Nest stops. */
  get(name: string): Session | undefined {
    const known = this.#sessions.get(name);
    if (known !== undefined) return known;
    const make = this.#make.get(name);
    if (make === undefined || this.#isStopping) return undefined;
    const session = new Session(make());
    this.#sessions.set(name, session);
    return session;
  }

  /** Ends all agents; SIGKILL after `graceMs`. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    await Promise.all([...this.#sessions.values()].map((session) => session.stop(graceMs)));
  }
}
