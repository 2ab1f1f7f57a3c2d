import { until } from "./until.ts";

export interface Frame {
  readonly type: string;
  // Frames are asserted field by field.
  // oxlint-disable-next-line typescript/no-explicit-any
  readonly [field: string]: any;
}

/** A WebSocket client that keeps what it receives. */
export class AttachClient implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly frames: Frame[] = [];
  close: { code: number; reason: string } | undefined;
  #opened = false;
  #failed = false;

  constructor(url: string, headers: Record<string, string> = {}) {
    this.socket = new WebSocket(url, { headers });
    this.socket.onopen = () => (this.#opened = true);
    this.socket.onmessage = ({ data }) => this.frames.push(JSON.parse(String(data)));
    this.socket.onclose = ({ code, reason }) => (this.close = { code, reason });
    this.socket.onerror = () => (this.#failed = true);
  }

  /** Waits for the upgrade. */
  async opened(): Promise<this> {
    await until("the socket is open", () => this.#opened || this.#failed || this.close);
    if (!this.#opened) throw new Error("the upgrade was refused");
    return this;
  }

  /** Sends an object as JSON, a string as it is. */
  send(frame: object | string): void {
    this.socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** The first frame, now or soon, for which `test` holds. */
  frame(what: string, test: (frame: Frame) => boolean): Promise<Frame> {
    return until(what, () => this.frames.find(test));
  }

  ofType(type: string): Promise<Frame> {
    return this.frame(`a frame of type ${type}`, (frame) => frame.type === type);
  }

  /** The reply to the command with this id. */
  reply(id: string | number): Promise<Frame> {
    return this.frame(
      `the reply to ${id}`,
      (frame) => frame.type === "response" && frame["id"] === id,
    );
  }

  /** The first event for which `test` holds, with a number above `after`. */
  async event(
    type: string,
    after = 0,
    test: (event: Frame) => boolean = () => true,
  ): Promise<Frame> {
    return this.frame(
      `an event of type ${type}`,
      (frame) =>
        frame.type === "event" &&
        frame["seq"] > after &&
        frame["event"].type === type &&
        test(frame["event"]),
    );
  }

  get events(): Frame[] {
    return this.frames.filter((frame) => frame.type === "event");
  }

  /** All text that came as deltas. */
  get text(): string {
    return this.events
      .map((frame) => frame["event"].assistantMessageEvent)
      .filter((update) => update?.type === "text_delta")
      .map((update) => update.delta)
      .join("");
  }

  closed(): Promise<{ code: number; reason: string }> {
    return until("the socket is closed", () => this.close);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.closed();
  }
}

/** Comes back as one that has seen `since`. */
export async function attachSince(
  url: string,
  token: string,
  since: number,
): Promise<AttachClient> {
  return attach(`${url}${url.includes("?") ? "&" : "?"}since=${since}`, token);
}

/** Attaches with a first message and waits for `attached`. */
export async function attach(url: string, token: string): Promise<AttachClient> {
  const client = await new AttachClient(url).opened();
  client.send({ type: "auth", token });
  await client.ofType("attached");
  return client;
}
