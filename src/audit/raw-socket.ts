import { type HttpAnswer, parseAnswer } from "./http-answer.ts";
import type { RawConnection } from "./raw-connection.ts";

/** A text frame as it came, parsed if it is JSON. */
export type Said = Readonly<Record<string, unknown>>;

/** A WebSocket that says exactly the frames it is told to, on a connection that asked for the upgrade. */
export class RawSocket implements Disposable {
  readonly #connection: RawConnection;
  readonly answer: HttpAnswer;

  constructor(connection: RawConnection, answer: HttpAnswer) {
    this.#connection = connection;
    this.answer = answer;
  }

  get isOpen(): boolean {
    return this.answer.status === 101;
  }

  send(frame: object | string): void {
    this.#connection.write(frameOf(typeof frame === "string" ? frame : JSON.stringify(frame)));
  }

  write(bytes: Uint8Array): void {
    this.#connection.write(bytes);
  }

  /** All frames so far, and the close code. */
  get heard(): { readonly said: readonly Said[]; readonly code: number | undefined } {
    const received = this.#connection.received;
    const end = received.indexOf("\r\n\r\n");
    return readFrames(received.subarray(end + 4));
  }

  /** The first frame of this type; nothing if it did not come in time. */
  frame(type: string, withinMs: number): Promise<Said | undefined> {
    return this.#connection.until(
      () => this.heard.said.find((said) => said["type"] === type),
      withinMs,
    );
  }

  /** The close code; 1006 for an end without one, nothing if it stays open. */
  async closed(withinMs: number): Promise<number | undefined> {
    const code = await this.#connection.until(() => this.heard.code, withinMs);
    return code ?? (this.#connection.isClosed ? (this.heard.code ?? 1006) : undefined);
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]();
  }
}

/** The handshake of RFC 6455 section 4.1. */
export const HANDSHAKE: Readonly<Record<string, string>> = {
  Upgrade: "websocket",
  Connection: "Upgrade",
  "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Version": "13",
};

/** A client's frame (RFC 6455 section 5.2), masked with zeros. */
export function frameOf(payload: string | Uint8Array, opcode = 1): Buffer {
  const data = Buffer.from(payload as string);
  return Buffer.concat([frameHead(data.length, opcode), data]);
}

/** The head of a frame that announces `length` bytes, whether they come or not. */
export function frameHead(length: number, opcode = 1): Buffer {
  const first = 0x80 | opcode;
  if (length < 126) return Buffer.from([first, 0x80 | length, 0, 0, 0, 0]);
  if (length < 65_536)
    return Buffer.from([first, 0x80 | 126, length >> 8, length & 255, 0, 0, 0, 0]);
  const head = Buffer.alloc(14);
  head[0] = first;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(length), 2);
  return head;
}

function readFrames(bytes: Buffer): { said: Said[]; code: number | undefined } {
  const said: Said[] = [];
  let at = 0;
  while (at + 2 <= bytes.length) {
    const opcode = (bytes[at] as number) & 15;
    const short = (bytes[at + 1] as number) & 127;
    const head = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (at + head > bytes.length) break;
    const length =
      short === 126
        ? bytes.readUInt16BE(at + 2)
        : short === 127
          ? Number(bytes.readBigUInt64BE(at + 2))
          : short;
    if (at + head + length > bytes.length) break;
    const payload = bytes.subarray(at + head, at + head + length);
    at += head + length;
    if (opcode === 8) return { said, code: length >= 2 ? payload.readUInt16BE(0) : 1005 };
    if (opcode === 1) said.push(parsed(payload.toString("utf8")));
  }
  return { said, code: undefined };
}

function parsed(text: string): Said {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Said;
  } catch {
    // Told as it is.
  }
  return { type: "", text };
}

export function answered(
  connection: RawConnection,
  withinMs: number,
): Promise<HttpAnswer | undefined> {
  return connection.until((one) => parseAnswer(one.received, false), withinMs);
}
