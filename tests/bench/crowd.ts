import type { Socket } from "bun";
import type { Server } from "./lab.ts";

/** An unasked-for pong (RFC 6455 section 5.5.3), masked with zeros, and how often it says that the socket lives, ms. */
const PONG = new Uint8Array([0x8a, 0x80, 0, 0, 0, 0]);
const PONG_MS = 10_000;
/** Longest wait for all of them, ms. */
const LIMIT_MS = 120_000;

/** Many sockets that read and throw away: as little of the client's time as can be. */
export class Crowd {
  readonly #sockets: Socket<{ tail: string }>[] = [];
  #seen = 0;
  #bytes = 0;
  #awaited = "";
  #count = 0;
  #came = Promise.withResolvers<void>();
  readonly #alive = setInterval(() => {
    for (const socket of this.#sockets) socket.write(PONG);
  }, PONG_MS);

  /** Opens `count` sockets on `path`, `headers` in their handshakes, and waits until each has received `first`. */
  async join(
    { url }: Pick<Server, "url">,
    path: string,
    headers: string,
    first: string,
    count: number,
  ): Promise<void> {
    const { hostname, port, host } = new URL(url);
    const waiting = this.#await(first, count);
    const handshake = `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`;
    for (let i = 0; i < count; i++) {
      const socket = await Bun.connect<{ tail: string }>({
        hostname,
        port: Number(port),
        data: { tail: "" },
        socket: {
          open: (opened) => void opened.write(handshake),
          data: (from, chunk) => this.#read(from, chunk),
        },
      });
      this.#sockets.push(socket);
    }
    await waiting;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Settles when each socket has received `text` once more. */
  all(text: string, withinMs?: number): Promise<void> {
    return this.#await(text, this.#sockets.length, withinMs);
  }

  close(): void {
    clearInterval(this.#alive);
    for (const socket of this.#sockets) socket.terminate();
  }

  async #await(text: string, count: number, withinMs = LIMIT_MS): Promise<void> {
    this.#awaited = text;
    this.#seen = 0;
    const came = Promise.withResolvers<void>();
    this.#came = came;
    this.#count = count;
    const timer = setTimeout(
      () => came.reject(new Error(`${this.#seen} of ${count} sockets received "${text}"`)),
      withinMs,
    );
    try {
      await came.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #read(socket: Socket<{ tail: string }>, chunk: Buffer): void {
    this.#bytes += chunk.length;
    // Only the end of what came is looked at: what is awaited is the last of a burst.
    const end = socket.data.tail + chunk.toString("latin1", Math.max(0, chunk.length - 256));
    socket.data.tail = end.slice(-256);
    if (this.#awaited === "" || !end.includes(this.#awaited)) return;
    socket.data.tail = "";
    if (++this.#seen === this.#count) this.#came.resolve();
  }
}
