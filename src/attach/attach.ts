import type { Session } from "../agent/session.ts";
import { type Admission, Connection, topicOf } from "./connection.ts";
import { FanOut } from "./fan-out.ts";
import type { AttachParts } from "./parts.ts";
import { LIMITS, type VaultChange, type VaultFrame } from "./protocol.ts";
import { SlidingWindow } from "../limit/sliding-window.ts";
import { WaitingRoom } from "./waiting-room.ts";

type Publish = (topic: string, text: string) => void;

/** Between pings, ms. A peer that is silent from one to the next is cut off: after 20 to 40 s. */
const BEAT_MS = 20_000;

/**
 * Bun keeps a socket that it has closed for up to 16 s (seen: 15), until the peer closes it too, and with it the up to
 * 1 MiB of a message that has come in part; `terminate` does nothing any more then. ms
 */
const FAREWELL_MS = 16_000;
/** Sockets of peers that never authenticated which may be kept like that, count. */
const MAX_FAREWELLS = 64;

/** All sockets of `/attach`. */
export class Attach {
  readonly #parts: AttachParts;
  readonly #connections = new Set<Connection>();
  #cancelBeat = () => {};
  #isClosed = false;

  readonly #fanOuts = new WeakMap<Session, FanOut>();
  #publish: Publish | undefined;

  constructor(parts: Omit<AttachParts, "waitingRoom" | "farewells" | "fanOutOf">) {
    const waitingRoom = new WaitingRoom({
      maxPerAddress: LIMITS.maxWaitingPerAddress,
      maxInAll: LIMITS.maxWaiting,
    });
    this.#parts = {
      ...parts,
      waitingRoom,
      farewells: new SlidingWindow(MAX_FAREWELLS, FAREWELL_MS),
      fanOutOf: (session) => this.#fanOutOf(session),
    };
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

  /** How a text goes to all sockets that have entered a topic: known once the server runs, before any socket is open. */
  publishBy(publish: Publish): void {
    this.#publish = publish;
  }

  #fanOutOf(session: Session): FanOut {
    let fanOut = this.#fanOuts.get(session);
    if (fanOut === undefined) {
      const topic = topicOf(session.name);
      fanOut = new FanOut(session, (frame) => this.#publish?.(topic, frame));
      this.#fanOuts.set(session, fanOut);
    }
    return fanOut;
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

  /**
   * Pings the peers and cuts off those of whom nothing was heard since the last time: a half-open connection looks alive
   * for as long as there is nothing to send, and Bun's own idle timeout starts anew with each frame sent.
   */
  #beat(): void {
    this.#cancelBeat = this.#parts.clock.after(BEAT_MS, () => {
      for (const connection of this.#connections) connection.beat();
      // Not at once: a clock that jumps must not have two beats with no time in between to answer.
      queueMicrotask(() => {
        if (this.#connections.size > 0 && !this.#isClosed) this.#beat();
      });
    });
  }

  /** Closes all sockets with 1001. */
  close(): void {
    this.#isClosed = true;
    this.#cancelBeat();
    for (const connection of this.#connections) connection.goAway();
  }

  /** Handlers for `Bun.serve`, all synchronous: an `async` one would run beside the next frame's. */
  readonly handlers: Bun.WebSocketHandler<Connection> = {
    maxPayloadLength: LIMITS.maxFrameBytes,
    // Ours is `maxUnreadBytes`, looked at before each frame; past Bun's it drops frames, so that lies beyond.
    backpressureLimit: 2 * LIMITS.maxUnreadBytes,
    // Pings are ours, see `#beat`; this is what is left should they fail. Seconds.
    idleTimeout: 4 * (BEAT_MS / 1000),
    sendPings: false,
    perMessageDeflate: false,
    open: (socket) => {
      this.#connections.add(socket.data);
      if (this.#connections.size === 1) this.#beat();
      socket.data.opened(socket, this.#isClosed);
    },
    message: (socket, frame) => socket.data.received(frame),
    ping: (socket) => socket.data.pinged(),
    pong: (socket) => socket.data.heard(),
    drain: (socket) => socket.data.drained(),
    close: (socket) => {
      this.#connections.delete(socket.data);
      if (this.#connections.size === 0) this.#cancelBeat();
      socket.data.closed();
    },
    error: (error) =>
      this.#parts.log.error("socket_handler_failed", { reason: String((error as Error).stack) }),
  };
}
