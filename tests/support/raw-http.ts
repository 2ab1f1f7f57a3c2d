import { connect, type Socket } from "node:net";
import { until } from "./until.ts";

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly text: string;
}

/** A TCP connection that says exactly the bytes it is told to. */
export class RawConnection implements Disposable {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  isClosed = false;

  constructor(port: number, host = "127.0.0.1") {
    this.#socket = connect(port, host);
    this.#socket.on(
      "data",
      (chunk: Buffer) => (this.#received = Buffer.concat([this.#received, chunk])),
    );
    this.#socket.on("close", () => (this.isClosed = true));
    this.#socket.on("error", () => (this.isClosed = true));
  }

  get received(): Buffer {
    return this.#received;
  }

  write(bytes: string | Uint8Array): void {
    this.#socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
  }

  /** The first response, once its head and the body that Content-Length announces are there; or what came before the end. */
  async response(): Promise<RawResponse> {
    return until("a whole response", () => {
      const text = this.#received.toString("latin1");
      const end = text.indexOf("\r\n\r\n");
      if (end === -1) return this.isClosed ? parse(text, text.length) : undefined;
      const length = Number(/^content-length: *(\d+)/im.exec(text.slice(0, end))?.[1] ?? 0);
      return this.isClosed || text.length >= end + 4 + length ? parse(text, end) : undefined;
    });
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

function parse(text: string, end: number): RawResponse {
  const [start = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((line) => [
      line.slice(0, line.indexOf(":")).toLowerCase(),
      line.slice(line.indexOf(":") + 1).trim(),
    ]),
  );
  return { status: Number(start.split(" ")[1] ?? 0), headers, body: text.slice(end + 4), text };
}

/** Sends one request as written and reads its answer. */
export async function rawRequest(port: number, request: string): Promise<RawResponse> {
  using connection = new RawConnection(port);
  connection.write(request);
  return await connection.response();
}

/** A client frame of RFC 6455 section 5.2, masked with zeros. */
export function wsFrame(payload: string | Uint8Array, { opcode = 1, fin = true } = {}): Buffer {
  const data = Buffer.from(payload as string);
  const head =
    data.length < 126
      ? [data.length | 0x80]
      : data.length < 65_536
        ? [126 | 0x80, data.length >> 8, data.length & 255]
        : [
            127 | 0x80,
            0,
            0,
            0,
            0,
            data.length >>> 24,
            (data.length >> 16) & 255,
            (data.length >> 8) & 255,
            data.length & 255,
          ];
  return Buffer.concat([Buffer.from([(fin ? 0x80 : 0) | opcode, ...head, 0, 0, 0, 0]), data]);
}

/** The handshake of RFC 6455 section 4.1. */
export function wsHandshake(host: string, { path = "/attach", headers = "" } = {}): string {
  return `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n${headers}\r\n`;
}
