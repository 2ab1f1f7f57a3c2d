import { type Admission, Connection } from "./connection.ts";
import type { AttachParts } from "./parts.ts";
import { LIMITS, type VaultChange, type VaultFrame } from "./protocol.ts";
import { WaitingRoom } from "./waiting-room.ts";

/** All sockets of `/attach`. */
export class Attach {
  readonly #parts: AttachParts;
  readonly #connections = new Set<Connection>();
  #isClosed = false;

  constructor(parts: Omit<AttachParts, "waitingRoom">) {
    const waitingRoom = new WaitingRoom({
      maxPerAddress: LIMITS.maxWaitingPerAddress,
      maxInAll: LIMITS.maxWaiting,
    });
    this.#parts = { ...parts, waitingRoom };
  }

  /** Open sockets, authenticated or not. */
  get size(): number {
    return this.#connections.size;
  }

  /**
   * Makes a connection for a socket that is about to be upgraded, synchronously.
   *
   * @returns `undefined` if too many sockets of this address wait to be authenticated
   */
  admit(admission: Admission): Connection | undefined {
    const connection = new Connection(this.#parts, admission);
    if (admission.principal === undefined && !this.#parts.waitingRoom.enter(connection))
      return undefined;
    return connection;
  }

  /** Closes the sockets whose tokens are no longer good. */
  revalidate(): void {
    for (const connection of this.#connections) connection.revalidate();
  }

  /** Tells all who may know what has changed in the vault. */
  tellVaultChanges(changes: readonly VaultChange[], resync: boolean): void {
    if (this.#connections.size === 0) return;
    const frame: VaultFrame = { type: "vault", changes, ...(resync && { resync }) };
    const text = JSON.stringify(frame);
    for (const connection of this.#connections) connection.tellVaultChanges(text);
  }

  /** Closes all sockets with 1001. */
  close(): void {
    this.#isClosed = true;
    for (const connection of this.#connections) connection.goAway();
  }

  /** Handlers for `Bun.serve`, all synchronous: an `async` one would run beside the next frame's. */
  readonly handlers: Bun.WebSocketHandler<Connection> = {
    maxPayloadLength: LIMITS.maxFrameBytes,
    // Ours is `maxUnreadBytes`, looked at before each frame; past Bun's it drops frames, so that lies beyond.
    backpressureLimit: 2 * LIMITS.maxUnreadBytes,
    // Bun pings before the time is over, so only a peer that is gone stays silent. Seconds.
    idleTimeout: 60,
    perMessageDeflate: false,
    open: (socket) => {
      this.#connections.add(socket.data);
      socket.data.opened(socket, this.#isClosed);
    },
    message: (socket, frame) => socket.data.received(frame),
    ping: (socket) => socket.data.pinged(),
    drain: (socket) => socket.data.drained(),
    close: (socket) => {
      this.#connections.delete(socket.data);
      socket.data.closed();
    },
    error: (error) =>
      this.#parts.log.error("socket_handler_failed", { reason: String((error as Error).stack) }),
  };
}
