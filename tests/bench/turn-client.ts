import { sharedUs } from "./clock.ts";
import type { Server } from "./lab.ts";
import { TOKEN } from "./nest.ts";

/** Longest turn waited for, ms. */
const TURN_LIMIT_MS = 120_000;

/** One event of a turn as it came in. */
export interface Arrival {
  /** Microseconds of {@link sharedUs}. */
  readonly atUs: number;
  readonly frame: string;
}

/** A socket on which turns are run and timed; frames are stamped first, and read when the turn is over. */
export class TurnClient {
  readonly #socket: WebSocket;
  #arrivals: Arrival[] = [];
  /** What the frame that is waited for contains. */
  #awaited = "";
  #came = Promise.withResolvers<void>();

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.addEventListener("message", ({ data }) => {
      const frame = data as string;
      this.#arrivals.push({ atUs: sharedUs(), frame });
      if (frame.includes(this.#awaited)) this.#came.resolve();
    });
    socket.addEventListener("close", ({ code }) => {
      const last = this.#arrivals.at(-1)?.frame;
      this.#came.reject(new Error(`The socket closed with ${code}; the last frame was ${last}`));
    });
  }

  /** Attaches to Nest. */
  static async nest({ url }: Server): Promise<TurnClient> {
    const client = await TurnClient.plain({ url: `${url}/attach` });
    await client.#exchange({ type: "auth", token: TOKEN }, '"type":"attached"');
    return client;
  }

  /** Opens a socket that has no protocol of its own. */
  static async plain({ url }: Pick<Server, "url">): Promise<TurnClient> {
    const socket = new WebSocket(url.replace(/^http/, "ws"));
    const client = new TurnClient(socket);
    client.#came.promise.catch(() => {});
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener("open", () => resolve());
      socket.addEventListener("error", () => reject(new Error(`Cannot open a socket to ${url}`)));
    });
    return client;
  }

  /**
   * Runs a turn to its `agent_settled`, and returns all that came meanwhile.
   *
   * @throws {Error} if the socket closes first or the turn takes too long
   */
  async turn(message: string): Promise<Arrival[]> {
    this.#arrivals = [];
    await this.#exchange({ id: "1", type: "prompt", message }, '"type":"agent_settled"');
    return this.#arrivals;
  }

  /** Lets the server go. */
  close(): void {
    this.#came.promise.catch(() => {});
    this.#socket.close();
  }

  async #exchange(frame: object, until: string): Promise<void> {
    const came = Promise.withResolvers<void>();
    this.#awaited = until;
    this.#came = came;
    const timer = setTimeout(() => this.#socket.terminate(), TURN_LIMIT_MS);
    this.#socket.send(JSON.stringify(frame));
    try {
      await came.promise;
    } finally {
      clearTimeout(timer);
    }
  }
}
