import type { Command } from "../agent/commands.ts";
import { isRefusal, parseCommand } from "../agent/commands.ts";
import type { Reply } from "../agent/reply.ts";
import type { Session } from "../agent/session.ts";
import { allows, COMMANDS, needOf, ROUTES, scopeNamed, VAULT_EVENTS } from "../auth/permissions.ts";
import type { Principal } from "../auth/principal.ts";
import { SlidingWindow } from "../limit/sliding-window.ts";
import { EventFeed } from "./event-feed.ts";
import type { FanOut, Reader } from "./fan-out.ts";
import { parseAuthFrame, parseCommandFrame } from "./frames.ts";
import type { AttachParts } from "./parts.ts";
import {
  type AttachedFrame,
  type AuthOkFrame,
  CLOSE,
  type ErrorFrame,
  LIMITS,
  PROTOCOL_VERSION,
  type ResponseFrame,
  type VaultFrame,
} from "./protocol.ts";

/** What is known of a socket before it is opened. */
export interface Admission {
  /** Client address, for the lock-out and the log. */
  readonly address: string;
  readonly requestId: string;
  readonly session: string;
  /** The last event the client has seen; absent for a client that begins. */
  readonly since?: number;
  /** Set if the upgrade request carried a good token. */
  readonly principal?: Principal;
}

/** Bun's socket, as far as it is used here. */
export interface Socket {
  send(text: string): number;
  close(code: number, reason?: string): void;
  ping(): number;
  terminate(): void;
  getBufferedAmount(): number;
  subscribe(topic: string): unknown;
  unsubscribe(topic: string): unknown;
}

/** Longest wait for the agent's process before `attached` is sent without it, ms. */
const OPEN_TIMEOUT_MS = 15_000;
/** Frames over the rate that are answered; whoever goes on is closed with 1008. */
const MAX_RATE_LIMITED = 1000;
/** Pings of a peer that has not authenticated: none is needed in five seconds. */
const MAX_EARLY_PINGS = 8;

const VAULT_RESYNC = JSON.stringify({
  type: "vault",
  changes: [],
  resync: true,
} satisfies VaultFrame);

/**
 * One socket, from its upgrade to its end. All steps are synchronous and in the order of the frames; only `attached`
 * may have to wait for the agent's process, and frames wait with it.
 *
 * Events are not queued for a slow reader: it has a place in the session's journal and is sent what follows whenever
 * its socket drains.
 */
export class Connection {
  readonly address: string;
  readonly #parts: AttachParts;
  readonly #admission: Admission;
  #socket: Socket | undefined;
  #state: "waiting" | "attaching" | "attached" | "closed" = "waiting";
  #principal: Principal | undefined;
  #session: Session | undefined;
  #cancelTimer = () => {};
  #cancelExpiry = () => {};
  /** Frames that came before `attached`. */
  #early: (string | Buffer)[] = [];
  #earlyPings = 0;
  /** Something came in since the last beat. */
  #isHeard = true;
  #rateLimited = 0;
  #commands: SlidingWindow | undefined;
  #hasMissedVault = false;
  #fanOut: FanOut | undefined;
  #reader: Reader | undefined;

  constructor(parts: AttachParts, admission: Admission) {
    this.#parts = parts;
    this.#admission = admission;
    this.address = admission.address;
  }

  /** @param isStopping - Nest stops: the handshake came on a connection from before */
  opened(socket: Socket, isStopping: boolean): void {
    this.#socket = socket;
    if (isStopping) {
      this.goAway();
      return;
    }
    if (this.#state === "closed") {
      // Evicted between admission and upgrade.
      this.#fail({ type: "error", code: "too_many_waiting" }, CLOSE.tryAgainLater);
    } else if (this.#admission.principal !== undefined) {
      this.#welcome(this.#admission.principal);
    } else {
      this.#cancelTimer = this.#parts.clock.after(LIMITS.authTimeoutMs, () =>
        this.#fail({ type: "error", code: "auth_timeout" }, CLOSE.authTimeout),
      );
    }
  }

  received(frame: string | Buffer): void {
    this.#isHeard = true;
    switch (this.#state) {
      case "waiting":
        this.#authenticate(frame);
        break;
      case "attaching":
        if (this.#isWithinRate(frame)) this.#early.push(frame);
        break;
      case "attached":
        if (this.#isWithinRate(frame)) this.#command(frame);
        break;
      case "closed":
        // What came behind a wrong token is not even parsed.
        break;
    }
  }

  /** The peer is there: a pong, a ping, room in its buffers. */
  heard(): void {
    this.#isHeard = true;
  }

  /** Called at intervals: a peer of whom nothing was heard since the last time is gone. */
  beat(): void {
    if (this.#isHeard) {
      this.#isHeard = false;
      this.#socket?.ping();
    } else {
      this.#parts.log.info("socket_gone", { address: this.address, session: this.#session?.name });
      this.#socket?.terminate();
    }
  }

  pinged(): void {
    this.#isHeard = true;
    if (this.#state === "waiting" && ++this.#earlyPings > MAX_EARLY_PINGS)
      this.#socket?.terminate();
  }

  drained(): void {
    this.#isHeard = true;
    if (this.#reader !== undefined) this.#fanOut?.drained(this.#reader);
    if (this.#hasMissedVault) this.tellVaultChanges(VAULT_RESYNC);
  }

  /**
   * Not queued for a slow reader: what it missed becomes one `resync` when it has caught up.
   *
   * @param frame - a `vault` frame
   */
  tellVaultChanges(frame: string): void {
    if (this.#state !== "attached" || !mayKnowVault(this.#principal)) return;
    if ((this.#socket?.getBufferedAmount() ?? 0) > LIMITS.maxUnreadForVaultBytes) {
      this.#hasMissedVault = true;
      return;
    }
    const sent = this.#sendText(this.#hasMissedVault ? VAULT_RESYNC : frame);
    this.#hasMissedVault = false;
    if (sent === "full") this.#reader?.feed.fill();
  }

  closed(): void {
    this.#state = "closed";
    this.#cancelTimer();
    this.#cancelExpiry();
    if (this.#reader !== undefined) this.#fanOut?.remove(this.#reader);
    this.#parts.waitingRoom.leave(this);
    this.#early = [];
  }

  /** Sent away to make room for another that waits. */
  evict(): void {
    this.#fail({ type: "error", code: "too_many_waiting" }, CLOSE.tryAgainLater);
  }

  /** Nest stops. */
  goAway(): void {
    this.#end(CLOSE.goingAway, "Nest is stopping");
  }

  /** Closes the socket if its token is no longer good. */
  revalidate(): void {
    if (this.#principal === undefined || this.#state === "closed") return;
    const renewed = this.#parts.authenticator.renew(this.#principal);
    if (renewed === undefined || !mayAttach(renewed)) {
      this.#parts.log.info("token_ended", { token: this.#principal.name, address: this.address });
      this.#fail({ type: "error", code: "unauthorized" }, CLOSE.unauthorized);
    } else {
      this.#principal = renewed;
      this.#watchExpiry(renewed);
    }
  }

  #authenticate(frame: string | Buffer): void {
    this.#cancelTimer();
    this.#parts.waitingRoom.leave(this);
    const { lockOut, authenticator, log } = this.#parts;
    const lockedMs = lockOut.remainingMs(this.address);
    if (lockedMs > 0) {
      const retryAfterSeconds = Math.ceil(lockedMs / 1000);
      this.#fail({ type: "error", code: "locked_out", retryAfterSeconds }, CLOSE.unauthorized);
      return;
    }
    const token = parseAuthFrame(frame);
    const principal = token === undefined ? undefined : authenticator.authenticateToken(token);
    if (principal === undefined) {
      log.security("auth_failed", {
        address: this.address,
        route: "/attach",
        reason: token === undefined ? "malformed_first_frame" : "wrong_token",
        request: this.#admission.requestId,
      });
      lockOut.fail(this.address, { route: "/attach", request: this.#admission.requestId });
      this.#fail({ type: "error", code: "unauthorized" }, CLOSE.unauthorized);
    } else if (!mayAttach(principal)) {
      this.#fail({ type: "error", code: "insufficient_scope" }, CLOSE.unauthorized);
    } else {
      this.#welcome(principal);
    }
  }

  #welcome(principal: Principal): void {
    this.#principal = principal;
    this.#watchExpiry(principal);
    let session: Session | undefined;
    try {
      session = this.#parts.sessions.get(this.#admission.session);
    } catch {
      this.#fail({ type: "error", code: "session_unavailable" }, CLOSE.tryAgainLater);
      return;
    }
    if (session === undefined) {
      this.#fail({ type: "error", code: "session_not_found" }, CLOSE.sessionNotFound);
      return;
    }
    this.#session = session;
    this.#state = "attaching";
    this.#parts.log.audit("authenticated", {
      token: principal.name,
      address: this.address,
      route: "/attach",
      session: session.name,
      request: this.#admission.requestId,
    });
    const { maxFrameBytes, commandsPerMinute, maxUnreadBytes } = LIMITS;
    this.#send({
      type: "auth_ok",
      protocol: PROTOCOL_VERSION,
      version: this.#parts.version,
      session: session.name,
      limits: { maxFrameBytes, commandsPerMinute, maxUnreadBytes },
    } satisfies AuthOkFrame);
    const attach = () => {
      if (this.#state === "attaching") this.#attach(session);
    };
    this.#cancelTimer = this.#parts.clock.after(OPEN_TIMEOUT_MS, attach);
    void session.open().then(attach);
  }

  #attach(session: Session): void {
    this.#cancelTimer();
    this.#state = "attached";
    const { journal } = session;
    const { since } = this.#admission;
    const resync = since !== undefined && !journal.reaches(since);
    const seen = since === undefined || resync ? journal.lastSeq : since;
    const dialogs = session.openDialogs;
    const { interrupted } = session;
    this.#send({
      type: "attached",
      session: session.name,
      seq: journal.lastSeq,
      state: session.state,
      resync,
      ...(session.isScripted && { scripted: true }),
      ...(dialogs.length > 0 && { dialogs }),
      ...(interrupted.length > 0 && { interrupted }),
    } satisfies AttachedFrame);
    const feed = new EventFeed(journal, seen, {
      send: (frame) => this.#sendText(frame),
      tooSlow: () => this.#tooSlow(),
      after: (delayMs, run) => this.#parts.clock.after(delayMs, run),
    });
    const topic = topicOf(session.name);
    const reader: Reader = {
      feed,
      enter: () => this.#socket?.subscribe(topic),
      leave: () => this.#socket?.unsubscribe(topic),
      buffered: () => this.#socket?.getBufferedAmount() ?? 0,
      ended: () => this.#fail({ type: "error", code: "session_not_found" }, CLOSE.sessionNotFound),
    };
    this.#reader = reader;
    this.#fanOut = this.#parts.fanOutOf(session);
    this.#fanOut.add(reader);
    const early = this.#early;
    this.#early = [];
    for (const frame of early) this.#command(frame);
  }

  #isWithinRate(frame: string | Buffer): boolean {
    this.#commands ??= new SlidingWindow(LIMITS.commandsPerMinute, 60_000);
    const waitMs = this.#commands.hit(this.#parts.clock.monotonicMs());
    if (waitMs === 0) {
      this.#rateLimited = 0;
      return true;
    }
    if (++this.#rateLimited > MAX_RATE_LIMITED) {
      this.#parts.log.info("socket_floods", {
        address: this.address,
        session: this.#session?.name,
      });
      this.#end(CLOSE.policyViolation, "far too many commands");
      return false;
    }
    const parsed = parseCommandFrame(frame);
    const seconds = Math.ceil(waitMs / 1000);
    this.#respond(parsed?.type ?? "unknown", parsed?.id, {
      success: false,
      code: "rate_limited",
      error: `More than ${LIMITS.commandsPerMinute} commands in a minute; try again in ${seconds} s`,
    });
    return false;
  }

  #command(frame: string | Buffer): void {
    const parsed = parseCommandFrame(frame);
    if (parsed === undefined) {
      this.#send({ type: "error", code: "bad_frame" } satisfies ErrorFrame);
      return;
    }
    const command = parseCommand(parsed.fields, parsed.id);
    if (isRefusal(command)) this.#respond(parsed.type, parsed.id, { success: false, ...command });
    else if (!this.#isAllowed(command)) {
      this.#respond(parsed.type, parsed.id, {
        success: false,
        code: "insufficient_scope",
        error: `Cannot run "${command.type}": the token lacks the scope "${scopeNamed(needOf(COMMANDS, command.type))}"`,
      });
    } else {
      this.#audit(command);
      (this.#session as Session).submit(command, (reply) =>
        this.#respond(command.type, command.id, reply),
      );
    }
  }

  /** What changes something, for the security log: never its text, only how long it is. */
  #audit({ type, fields }: Command): void {
    if (type.startsWith("get_")) return;
    const text = fields["message"] ?? fields["command"] ?? fields["customInstructions"];
    this.#parts.log.audit(type === "prompt" ? "prompt" : "command", {
      token: this.#principal?.name,
      address: this.address,
      session: this.#session?.name,
      ...(type !== "prompt" && { command: type }),
      ...(typeof text === "string" && { length: text.length }),
      ...(Array.isArray(fields["images"]) && { images: fields["images"].length }),
    });
  }

  #isAllowed({ type }: Command): boolean {
    return allows(this.#principal, needOf(COMMANDS, type));
  }

  #respond(command: string, id: string | number | undefined, reply: Reply): void {
    this.#send({
      type: "response",
      ...(id !== undefined && { id }),
      command,
      ...reply,
    } satisfies ResponseFrame);
  }

  #send(frame: object): void {
    this.#fanOut?.flush();
    // What waits already counts, not this frame: an answer may be larger than the limit by itself.
    if ((this.#socket?.getBufferedAmount() ?? 0) > LIMITS.maxUnreadBytes) this.#tooSlow();
    else if (this.#sendText(JSON.stringify(frame)) === "full") this.#reader?.feed.fill();
  }

  #sendText(text: string): "sent" | "full" | "gone" {
    if (this.#socket === undefined || this.#state === "closed") return "gone";
    const sent = this.#socket.send(text);
    // 0: dropped, with the socket left open. A gap must not go unseen.
    if (sent === 0) {
      this.#tooSlow();
      return "gone";
    }
    // -1: taken, but the buffer is no longer empty.
    return sent === -1 ? "full" : "sent";
  }

  #tooSlow(): void {
    this.#parts.log.info("socket_too_slow", {
      address: this.address,
      session: this.#session?.name,
    });
    this.#end(CLOSE.tooSlow, "too much waits to be read; come back with since");
  }

  #watchExpiry({ expiresMs }: Principal): void {
    this.#cancelExpiry();
    if (expiresMs === undefined) return;
    const delayMs = Math.min(expiresMs - this.#parts.clock.wallMs(), MAX_TIMER_MS);
    this.#cancelExpiry = this.#parts.clock.after(Math.max(0, delayMs), () => this.revalidate());
  }

  #fail(frame: ErrorFrame, code: number): void {
    this.#socket?.send(JSON.stringify(frame));
    this.#end(code, frame.code);
  }

  #end(code: number, reason: string): void {
    const socket = this.#socket;
    this.closed();
    if (socket === undefined) return;
    const { clock, farewells } = this.#parts;
    // In the next turn, so that the error frame is out.
    if (this.#principal === undefined && farewells.hit(clock.monotonicMs()) > 0)
      clock.after(0, () => socket.terminate());
    else socket.close(code, reason);
  }
}

/** Longest delay of a timer, ms: longer ones fire at once. A day is enough to look again. */
const MAX_TIMER_MS = 86_400_000;

/** Bun's name for the sockets that have taken all of a session's events. */
export function topicOf(session: string): string {
  return `events ${session}`;
}

/** `attach` may do everything on the socket, `prompt` may talk and read. */
function mayAttach(principal: Principal): boolean {
  return allows(principal, needOf(ROUTES, "GET /attach"));
}

/** `prompt` alone does not say so. */
function mayKnowVault(principal: Principal | undefined): boolean {
  return allows(principal, VAULT_EVENTS);
}
