import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";

/** Time, as the audit needs it; its timers keep the program alive. */
export interface AuditClock {
  monotonicMs(): number;
  wallMs(): number;
  after(delayMs: number, run: () => void): () => void;
}

/** Where a Nest listens. */
export interface Endpoint {
  /** An address or a name, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
  /** The name that TLS asks for (SNI); absent for addresses. */
  readonly serverName?: string;
}

/** Most that is kept of an answer, bytes: no check needs more, and a server may be hostile. */
const MAX_RECEIVED_BYTES = 4 * 1024 * 1024;

/** A connection that says exactly the bytes it is told to, from an address of one's choice. */
export class RawConnection implements Disposable {
  readonly #socket: Socket;
  readonly #clock: AuditClock;
  readonly #chunks: Buffer[] = [];
  #size = 0;
  #received: Buffer | undefined;
  readonly #waiting = new Set<() => void>();
  isClosed = false;
  /** Why it could not be made, or ended; empty if nothing went wrong. */
  failure = "";

  /** @param from - local address; absent: the system's choice */
  constructor({ host, port, isTls, serverName }: Endpoint, clock: AuditClock, from?: string) {
    this.#clock = clock;
    const local = from === undefined ? {} : { localAddress: from };
    // Who answers is looked at by a check of its own; here the bytes count.
    const place = { host, port, ...local };
    const name = serverName === undefined ? {} : { servername: serverName };
    this.#socket = isTls
      ? connectTls({ ...place, ...name, rejectUnauthorized: false } as ConnectionOptions)
      : connectTcp(place);
    this.#socket.on("data", (chunk: Buffer) => {
      this.#size += chunk.length;
      if (this.#size > MAX_RECEIVED_BYTES) this.#socket.destroy();
      else this.#chunks.push(chunk);
      this.#received = undefined;
      this.#wake();
    });
    this.#socket.on("error", (error: NodeJS.ErrnoException) => {
      this.failure ||= error.code ?? error.message;
    });
    this.#socket.on("end", () => this.#end());
    this.#socket.on("close", () => this.#end());
  }

  get received(): Buffer {
    if (this.#received === undefined) {
      this.#received = Buffer.concat(this.#chunks);
      this.#chunks.splice(0, this.#chunks.length, this.#received);
    }
    return this.#received;
  }

  write(bytes: string | Uint8Array): void {
    if (!this.isClosed)
      this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /**
   * Waits until `read` finds something in what has been received.
   *
   * @returns nothing if the time is over or the connection ended without it
   */
  async until<T>(
    read: (connection: this) => T | undefined,
    withinMs: number,
  ): Promise<T | undefined> {
    const endMs = this.#clock.monotonicMs() + withinMs;
    for (;;) {
      const found = read(this);
      const leftMs = endMs - this.#clock.monotonicMs();
      if (found !== undefined || this.isClosed || leftMs <= 0) return found;
      await this.#next(leftMs);
    }
  }

  /** True if the other end closed it in time. */
  async closed(withinMs: number): Promise<boolean> {
    await this.until(() => undefined, withinMs);
    return this.isClosed;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
    this.#end();
  }

  #end(): void {
    this.isClosed = true;
    this.#wake();
  }

  #next(leftMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#waiting.delete(done);
        resolve();
      };
      const cancel = this.#clock.after(leftMs, done);
      this.#waiting.add(done);
    });
  }

  #wake(): void {
    for (const done of this.#waiting) done();
  }
}
