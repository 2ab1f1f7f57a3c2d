import { connect } from "node:net";

export interface HostileAnswer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  /** Status line and header lines, as they came. */
  readonly head: string;
  readonly body: Buffer;
}

export interface HostileRequest {
  readonly method: string;
  /** Goes out byte for byte: no client tidies it up. */
  readonly target: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** A server that hangs is a failed test and not a hung one. */
  readonly deadlineMs?: number;
}

/** One request on a connection of its own, and all that comes back until the server closes it. */
export function hostileRequest(port: number, request: HostileRequest): Promise<HostileAnswer> {
  const { method, target, headers = {}, body = "", deadlineMs = 10_000 } = request;
  const lines = Object.entries({
    Host: `127.0.0.1:${port}`,
    Connection: "close",
    ...(body.length > 0 && { "Content-Length": String(Buffer.byteLength(body)) }),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1");
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`No answer within ${deadlineMs} ms: ${method} ${String(target)}`));
    }, deadlineMs);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("close", () => {
      clearTimeout(timer);
      resolve(parse(Buffer.concat(chunks)));
    });
    socket.write(
      Buffer.concat([
        Buffer.from(`${method} `),
        Buffer.from(target as string),
        Buffer.from(` HTTP/1.1\r\n${lines.join("")}\r\n`),
        Buffer.from(body as string),
      ]),
    );
  });
}

function parse(received: Buffer): HostileAnswer {
  const end = received.indexOf("\r\n\r\n");
  const head = received.subarray(0, end === -1 ? received.length : end).toString("latin1");
  const body = end === -1 ? Buffer.alloc(0) : received.subarray(end + 4);
  return { status: Number(head.split(" ")[1] ?? 0), head, body };
}
