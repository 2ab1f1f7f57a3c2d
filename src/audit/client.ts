import { type HttpAnswer, NO_ANSWER, parseAnswer } from "./http-answer.ts";
import { type AuditClock, type Endpoint, RawConnection } from "./raw-connection.ts";
import { answered, HANDSHAKE, RawSocket } from "./raw-socket.ts";

export interface AuditRequest {
  readonly method?: string;
  /** Goes out byte for byte. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Another `Host`; `null` for none at all. */
  readonly host?: string | null;
}

/** Longest wait for an answer, ms. */
const ANSWER_MS = 8000;

/** Somebody at one address. */
export class Client {
  readonly #endpoint: Endpoint;
  readonly #clock: AuditClock;
  readonly #base: string;
  readonly #host: string;
  /** The address that requests come from; absent: the system's choice. */
  readonly address: string | undefined;
  readonly #token: string | undefined;
  readonly #isStopped: () => boolean;

  /**
   * @param base - path that Nest is served below, without `/` at its end
   * @param token - sent with each request that brings no `Authorization` of its own
   * @param isStopped - asked before each connection: behind the end nothing may be begun
   */
  constructor(
    endpoint: Endpoint,
    clock: AuditClock,
    base: string,
    host: string,
    address: string | undefined,
    token: string | undefined,
    isStopped: () => boolean,
  ) {
    this.#endpoint = endpoint;
    this.#clock = clock;
    this.#base = base;
    this.#host = host;
    this.address = address;
    this.#token = token;
    this.#isStopped = isStopped;
  }

  /** A request of its own connection, and its answer. */
  async request(request: AuditRequest): Promise<HttpAnswer> {
    return this.raw(this.bytesOf(request, { Connection: "close" }));
  }

  /** `GET`, and nothing but the status. */
  async status(path: string, headers?: Readonly<Record<string, string>>): Promise<number> {
    return (await this.request({ path, ...(headers && { headers }) })).status;
  }

  /** Bytes as they are, and the first answer to them. */
  async raw(bytes: string, withinMs = ANSWER_MS): Promise<HttpAnswer> {
    using connection = this.connect();
    connection.write(bytes);
    const answer = await answered(connection, withinMs);
    return answer ?? parseAnswer(connection.received, true) ?? NO_ANSWER;
  }

  connect(): RawConnection {
    if (this.#isStopped()) throw new Error("stopped");
    return new RawConnection(this.#endpoint, this.#clock, this.address);
  }

  /**
   * Asks for the upgrade of `/attach`; `first` goes out in the same segment behind it. Behind TLS it waits for the answer:
   * proxies lose what comes before.
   */
  async attach({
    headers = {},
    path = "/attach",
    first,
  }: {
    readonly headers?: Readonly<Record<string, string>>;
    readonly path?: string;
    readonly first?: Uint8Array;
  } = {}): Promise<RawSocket> {
    const connection = this.connect();
    const bytes = this.bytesOf({ path, headers }, HANDSHAKE);
    const head = Buffer.from(bytes, "latin1");
    const isLater = this.#endpoint.isTls;
    connection.write(first === undefined || isLater ? head : Buffer.concat([head, first]));
    const answer = await answered(connection, ANSWER_MS);
    if (first !== undefined && isLater && answer?.status === 101) connection.write(first);
    return new RawSocket(connection, answer ?? parseAnswer(connection.received, true) ?? NO_ANSWER);
  }

  /** The request as bytes of HTTP/1.1. */
  bytesOf(
    { method = "GET", path, headers = {}, body, host = this.#host }: AuditRequest,
    more: Readonly<Record<string, string>> = {},
  ): string {
    const all: Record<string, string> = { ...more, ...headers };
    if (this.#token !== undefined && all["Authorization"] === undefined)
      all["Authorization"] = `Bearer ${this.#token}`;
    if (body !== undefined && all["Content-Length"] === undefined)
      all["Content-Length"] = String(Buffer.byteLength(body, "latin1"));
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    const target = path.startsWith("/") ? this.#base + path : path;
    const hostLine = host === null ? "" : `Host: ${host}\r\n`;
    return `${method} ${target} HTTP/1.1\r\n${hostLine}${lines.join("")}\r\n${body ?? ""}`;
  }
}
