import { retryDelayMs } from "./backoff.ts";
import {
  type AwayReason,
  type ClientState,
  type Ending,
  endingOf,
  endingOfProbe,
  type ProbeAnswer,
} from "./client-state.ts";
import { type ClientClock, type ClientSocket, openGlobalSocket } from "./client-socket.ts";
import { type ClientCommand, Outbox, Undelivered } from "./outbox.ts";
import { newPromptKey } from "./prompt-key.ts";
import type {
  AttachedFrame,
  AuthOkFrame,
  ErrorFrame,
  EventFrame,
  ResponseFrame,
  ServerFrame,
} from "./protocol.ts";
import { parseServerFrame } from "./server-frame.ts";

export interface AttachClientOptions {
  /** `ws:` or `wss:` URL of `/attach`, without parameters; see `attach-url.ts`. */
  readonly url: string;
  /** Asked at each connection, so that it need not be kept. */
  readonly token: () => string;
  /** Absent = `default`. */
  readonly session?: string;
  /** The last event that was handled before, if any. */
  readonly since?: number;
  readonly clock: ClientClock;
  /** A number from 0 to 1, as `Math.random` gives it. */
  readonly random: () => number;
  /** Absent = the WebSocket of the runtime. */
  readonly openSocket?: (url: string, headers?: Readonly<Record<string, string>>) => ClientSocket;
  /**
   * Send the token with the upgrade, so that no unauthenticated socket ever waits; `openSocket` must know headers. Absent
   * or false = as the first frame, as browsers must.
   */
  readonly usesHeader?: boolean;
  /** Why was the upgrade refused? See `probe.ts`. Absent = never known, and tried again. */
  readonly probe?: (url: string, token: string | undefined) => Promise<ProbeAnswer | undefined>;
  readonly onState: (state: ClientState) => void;
  /** `attached` comes before the events after it. */
  readonly onAttached?: (frame: AttachedFrame) => void;
  readonly onEvent?: (frame: EventFrame) => void;
  /** Every frame as it came, before the others hear of it; also those that this version does not know. */
  readonly onFrame?: (frame: ServerFrame | { readonly type: string }) => void;
}

/** Connected for this long, a client begins anew with the delays of its tries, ms. */
const STABLE_MS = 10_000;
/** Longest time from opening to `attached`, ms: the server waits 15 s for the agent. */
const OPEN_TIMEOUT_MS = 25_000;
/** After this long without a frame the server is asked for a sign of life, ms. */
const QUIET_MS = 30_000;
/** And after this long without one the connection is given up, ms. */
const SIGN_OF_LIFE_MS = 10_000;
/** Nothing more is handed to a socket with this much waiting, bytes. */
const MAX_BUFFERED_BYTES = 1024 * 1024;
/** When a full socket is looked at again, ms: there is no event for it. */
const DRAIN_MS = 50;

/**
 * One session seen by one client, across as many connections as it takes: the terminal's, the workspace's and the tests'.
 *
 * It comes back by itself with `since`, so that every event is handed on once and in order; where the server no longer
 * has them, `attached.resync` says to read the conversation anew. It stops for good where the token is refused, and
 * until its end at a lock-out, since trying would be of no use.
 */
export class AttachClient implements Disposable {
  readonly #options: AttachClientOptions;
  readonly #outbox = new Outbox();
  #state: ClientState = { kind: "connecting" };
  #socket: ClientSocket | undefined;
  /** Last event handled. */
  #seq: number | undefined;
  #failures = 0;
  #openedAtMs = 0;
  #isUpgraded = false;
  #isHeaderUseless = false;
  #lastError: ErrorFrame | undefined;
  #limits: AuthOkFrame["limits"] | undefined;
  #cancelTry = () => {};
  #cancelWatch = () => {};
  #cancelDrain: (() => void) | undefined;

  constructor(options: AttachClientOptions) {
    this.#options = options;
    this.#seq = options.since;
  }

  get state(): ClientState {
    return this.#state;
  }

  /** Number of the last event handled; `undefined` before there is one. */
  get seq(): number | undefined {
    return this.#seq;
  }

  /** What the server allows, once it has said so. */
  get limits(): AuthOkFrame["limits"] | undefined {
    return this.#limits;
  }

  /** Connects; called again after `refused` or `closed` it begins anew. */
  start(): void {
    if (this.#socket !== undefined) return;
    this.#failures = 0;
    this.#connect();
  }

  /** Tries at once if it only waits for the next try: the network is back, the page is seen again. */
  nudge(): void {
    if (this.#state.kind === "away" && this.#socket === undefined) this.#connect();
    else if (this.#state.kind === "open") this.#askForLife();
  }

  /**
   * Sends a command and waits for its answer. Without a connection it is not kept, as it would come as a surprise later.
   *
   * @throws {Undelivered} if there is none; a refusal is an answer with `success: false`
   */
  request(command: ClientCommand, signal?: AbortSignal): Promise<ResponseFrame> {
    if (this.#state.kind !== "open") return Promise.reject(new Undelivered("not_sent"));
    return this.#add(command, signal);
  }

  /**
   * Sends a prompt under a key, so that it runs once however often it has to be sent. Without a connection it waits for
   * one.
   *
   * @throws {Undelivered} if it was given up; with `outcome_unknown` it may have run
   */
  prompt(
    message: string,
    fields: Readonly<Record<string, unknown>> = {},
    signal?: AbortSignal,
  ): Promise<ResponseFrame> {
    if (this.#state.kind === "refused" || this.#state.kind === "closed")
      return Promise.reject(new Undelivered("not_sent"));
    return this.#add({ key: newPromptKey(), ...fields, type: "prompt", message }, signal);
  }

  /** Answers a dialog; another client may have been faster (`dialog_closed`). */
  answerDialog(
    id: string,
    answer: { value: string } | { confirmed: boolean } | { cancelled: true },
  ): Promise<ResponseFrame> {
    return this.request({ ...answer, type: "extension_ui_response", id });
  }

  /** Ends it; what waits for an answer is given up. */
  close(): void {
    this.#leave();
    this.#outbox.clear();
    this.#become({ kind: "closed" });
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #add(command: ClientCommand, signal: AbortSignal | undefined): Promise<ResponseFrame> {
    const answer = this.#outbox.add(command, signal);
    this.#flush();
    return answer;
  }

  #become(state: ClientState): void {
    this.#state = state;
    this.#options.onState(state);
  }

  #connect(): void {
    this.#leave();
    const { url, session = "default", openSocket = openGlobalSocket, usesHeader } = this.#options;
    const parameters = new URLSearchParams({ session });
    if (this.#seq !== undefined) parameters.set("since", String(this.#seq));
    const target = `${url}?${parameters}`;
    const token = this.#options.token();
    const inHeader = usesHeader === true && !this.#isHeaderUseless;
    this.#isUpgraded = false;
    this.#lastError = undefined;
    this.#become({ kind: "connecting" });
    let socket: ClientSocket;
    try {
      socket = openSocket(target, inHeader ? { Authorization: `Bearer ${token}` } : undefined);
    } catch {
      this.#end({ kind: "away", reason: "unreachable" });
      return;
    }
    this.#socket = socket;
    const isCurrent = () => this.#socket === socket;
    socket.addEventListener("open", () => {
      if (!isCurrent()) return;
      this.#isUpgraded = true;
      if (!inHeader) socket.send(JSON.stringify({ type: "auth", token }));
    });
    socket.addEventListener("message", ({ data }) => {
      if (isCurrent()) this.#received(data);
    });
    // What went wrong is in no error event; a close event follows.
    socket.addEventListener("error", () => {});
    socket.addEventListener("close", ({ code }) => {
      if (!isCurrent()) return;
      this.#leave();
      if (this.#isUpgraded) this.#end(endingOf(code ?? 1006, this.#lastError));
      else void this.#explain(inHeader ? token : undefined);
    });
    this.#watch(OPEN_TIMEOUT_MS, () => this.#break("unreachable"));
  }

  /** The upgrade was refused, or nobody was there. */
  async #explain(token: string | undefined): Promise<void> {
    const before = this.#state;
    const answer = await this.#options.probe?.(this.#options.url, token);
    // Closed or started anew meanwhile.
    if (this.#state !== before || this.#socket !== undefined) return;
    const ending = endingOfProbe(answer);
    // The token is good and yet it was refused: a first frame is told why.
    if (ending.kind === "away" && ending.reason === "upgrade_refused") this.#isHeaderUseless = true;
    this.#end(ending);
  }

  #received(data: unknown): void {
    const frame = parseServerFrame(data);
    if (frame === undefined) return;
    this.#options.onFrame?.(frame);
    // Closed by that.
    if (this.#socket === undefined) return;
    switch (frame.type) {
      case "auth_ok":
        this.#limits = (frame as AuthOkFrame).limits;
        break;
      case "attached":
        this.#attached(frame as AttachedFrame);
        break;
      case "event":
        this.#event(frame as EventFrame);
        break;
      case "response":
        this.#outbox.answer(frame as ResponseFrame);
        break;
      case "error":
        this.#lastError = frame as ErrorFrame;
        break;
    }
    if (this.#state.kind === "open") this.#watch(QUIET_MS, () => this.#askForLife());
  }

  #attached(frame: AttachedFrame): void {
    if (this.#seq === undefined || frame.resync) this.#seq = frame.seq;
    if (frame.resync) this.#outbox.forgotten();
    this.#openedAtMs = this.#options.clock.monotonicMs();
    this.#become({ kind: "open", attached: frame });
    this.#options.onAttached?.(frame);
    this.#flush();
  }

  #event(frame: EventFrame): void {
    if (this.#seq === undefined || frame.seq <= this.#seq) return;
    if (frame.seq !== this.#seq + 1) {
      this.#break("broken");
      return;
    }
    this.#seq = frame.seq;
    this.#options.onEvent?.(frame);
  }

  #flush(): void {
    const socket = this.#socket;
    if (socket === undefined || this.#state.kind !== "open") return;
    const isDone = this.#outbox.flush((text) => {
      if (socket.bufferedAmount > MAX_BUFFERED_BYTES) return false;
      socket.send(text);
      return true;
    });
    if (isDone) return;
    this.#cancelDrain ??= this.#options.clock.after(DRAIN_MS, () => {
      this.#cancelDrain = undefined;
      this.#flush();
    });
  }

  /** A peer that vanished without a word is not seen by a client that only listens. */
  #askForLife(): void {
    // Nest itself answers what is no command, without troubling the agent.
    this.#socket?.send('{"type":"ping","id":"sign-of-life"}');
    this.#watch(SIGN_OF_LIFE_MS, () => this.#break("broken"));
  }

  #watch(delayMs: number, run: () => void): void {
    this.#cancelWatch();
    this.#cancelWatch = this.#options.clock.after(delayMs, run);
  }

  #break(reason: AwayReason): void {
    this.#leave();
    this.#end({ kind: "away", reason });
  }

  /** Lets go of the socket, whatever it still says. */
  #leave(): void {
    this.#cancelTry();
    this.#cancelWatch();
    this.#cancelDrain?.();
    this.#cancelDrain = undefined;
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #end(ending: Ending): void {
    const { clock, random } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#state.kind === "open" && nowMs - this.#openedAtMs >= STABLE_MS) this.#failures = 0;
    this.#outbox.disconnected();
    if (ending.kind === "refused") {
      this.#outbox.clear();
      this.#become(ending);
      return;
    }
    let delayMs: number;
    if (ending.kind === "locked_out") {
      // To the end, and a little past it: the server's clock decides, not ours.
      delayMs = ending.seconds * 1000 + Math.round(random() * 1000);
      this.#become({ kind: "locked_out", untilMs: nowMs + delayMs });
    } else {
      delayMs = retryDelayMs(++this.#failures, random());
      this.#become({ kind: "away", reason: ending.reason, retryAtMs: nowMs + delayMs });
    }
    // Closed or started anew by who heard of it.
    if (this.#state.kind !== ending.kind || this.#socket !== undefined) return;
    this.#cancelTry = clock.after(delayMs, () => this.#connect());
  }
}
