import { AttachClient, type Frame } from "./attach-client.ts";
import { TOKEN } from "./gateway.ts";
import { until } from "./until.ts";

/** What became of a prompt, as the client was told. */
export type Outcome = "accepted" | "interrupted";

/**
 * A client as it should be: it remembers the number of the last event, comes back with it, and sends a prompt with its
 * key again until it has been told what became of it.
 */
export class FaithfulClient {
  /** All events, in order, as they came over all connections. */
  readonly history: Frame[] = [];
  readonly outcomes = new Map<string, Outcome>();
  /** Sent and not answered. */
  readonly #open = new Map<string, string>();
  #client: AttachClient | undefined;
  #taken = 0;
  /** Gaps, repeats and resyncs that it saw: there must be none. */
  readonly faults: string[] = [];

  get seq(): number {
    return (this.history.at(-1)?.["seq"] as number | undefined) ?? 0;
  }

  /** Connects, or fails as long as Nest is not there. */
  async connect(host: string): Promise<void> {
    this.drop();
    const client = await new AttachClient(`ws://${host}/attach?since=${this.seq}`).opened();
    client.send({ type: "auth", token: TOKEN });
    const attached = await until("attached", () => {
      if (client.close !== undefined) throw new Error("closed before it attached");
      return client.frames.find(({ type }) => type === "attached");
    });
    if (attached["resync"] === true) this.faults.push(`resync at ${this.seq}`);
    this.#client = client;
    this.#taken = 0;
    for (const [key, message] of this.#open) this.#send(key, message);
  }

  prompt(key: string, message: string): void {
    this.#open.set(key, message);
    if (this.#client?.close === undefined) this.#send(key, message);
  }

  /** Reads what has come. */
  take(): void {
    const frames = this.#client?.frames ?? [];
    for (; this.#taken < frames.length; this.#taken++) this.#read(frames[this.#taken] as Frame);
  }

  /** Cuts the connection without a word. */
  drop(): void {
    this.take();
    this.#client?.socket.terminate();
    this.#client = undefined;
  }

  /** Settles when every prompt of its has an outcome. */
  async settled(): Promise<void> {
    await until("all prompts have an outcome", () => {
      this.take();
      return this.#open.size === 0;
    });
  }

  #send(key: string, message: string): void {
    this.#client?.send({ id: key, type: "prompt", key, message, streamingBehavior: "followUp" });
  }

  #read(frame: Frame): void {
    if (frame.type === "event") {
      if (frame["seq"] !== this.seq + 1) this.faults.push(`${frame["seq"]} after ${this.seq}`);
      this.history.push(frame);
    } else if (frame.type === "response") {
      const { id, success, code } = frame as { id?: string; success?: boolean; code?: string };
      if (id === undefined || !this.#open.has(id)) return;
      if (success === true) this.outcomes.set(id, "accepted");
      else if (code === "prompt_interrupted") this.outcomes.set(id, "interrupted");
      else {
        // It was not run, and its key is free: once more.
        if (code !== "agent_unavailable" && code !== "agent_exited")
          this.faults.push(`${id}: ${JSON.stringify(frame)}`);
        this.#send(id, this.#open.get(id) as string);
        return;
      }
      this.#open.delete(id);
    }
  }
}
