import { connect, createServer, type Socket } from "node:net";
import type { AddressInfo } from "node:net";

/** A TCP proxy in front of a server that can cut its connections, hold back what the server says, or be gone. */
export class CutProxy implements AsyncDisposable {
  readonly #server = createServer((client) => this.#relay(client));
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  /** Where new connections go. */
  target: number;
  /** While set, what the server says does not arrive. */
  isMute = false;
  /** While set, new connections end at once. */
  isGone = false;
  connections = 0;

  constructor(target: number) {
    this.target = target;
  }

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return this;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections without a goodbye. */
  cut(): void {
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    this.#pairs.clear();
  }

  #relay(client: Socket): void {
    this.connections++;
    client.on("error", () => {});
    if (this.isGone) {
      client.destroy();
      return;
    }
    const server = connect(this.target, "127.0.0.1");
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    server.on("error", () => client.destroy());
    client.on("data", (data) => server.write(data));
    server.on("data", (data) => {
      if (!this.isMute) client.write(data);
    });
    for (const socket of pair) {
      socket.on("close", () => {
        this.#pairs.delete(pair);
        for (const other of pair) other.destroy();
      });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
