/** An answer as it came. */
export interface HttpAnswer {
  /** 0: the connection ended without one, or none came in time. */
  readonly status: number;
  /** Names in lower case; what came twice is joined with `", "`. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** Bytes behind the body: more than one answer, if any. */
  readonly rest: string;
}

export const NO_ANSWER: HttpAnswer = { status: 0, headers: new Map(), body: "", rest: "" };

/** The first answer in `received`, once it is whole; `isOver` takes what there is. Interim answers (1xx but 101) are left out. */
export function parseAnswer(received: Buffer, isOver: boolean): HttpAnswer | undefined {
  const text = received.toString("latin1");
  const end = text.indexOf("\r\n\r\n");
  if (end === -1) return undefined;
  const [start = "", ...lines] = text.slice(0, end).split("\r\n");
  const status = Number(/^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(start)?.[1] ?? 0);
  if (status >= 100 && status < 200 && status !== 101)
    return parseAnswer(received.subarray(end + 4), isOver);
  const headers = new Map<string, string>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    const before = headers.get(name);
    headers.set(name, before === undefined ? value : `${before}, ${value}`);
  }
  const content = text.slice(end + 4);
  if (status === 101 || status === 204 || status === 304)
    return { status, headers, body: "", rest: content };
  const length = headers.get("content-length");
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") {
    const chunks = dechunked(content);
    if (chunks !== undefined) return { status, headers, ...chunks };
  } else if (length !== undefined && content.length >= Number(length)) {
    const body = content.slice(0, Number(length));
    return { status, headers, body, rest: content.slice(Number(length)) };
  }
  return isOver ? { status, headers, body: content, rest: "" } : undefined;
}

/** RFC 9112 section 7.1; nothing if the last chunk is not there yet. */
function dechunked(content: string): { body: string; rest: string } | undefined {
  let body = "";
  let at = 0;
  for (;;) {
    const end = content.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const size = Number.parseInt(content.slice(at, end), 16);
    if (!(size >= 0)) return undefined;
    if (content.length < end + 2 + size + 2) return undefined;
    if (size === 0) return { body, rest: content.slice(end + 4) };
    body += content.slice(end + 2, end + 2 + size);
    at = end + 2 + size + 2;
  }
}
