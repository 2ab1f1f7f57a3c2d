/** One HTTP answer, as far as two servers can be asked for the same one. */
export interface Answer {
  readonly status: number;
  /** Without what Bun adds by itself. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Set by Bun on every answer. */
const AUTOMATIC = new Set(["date", "content-length"]);

export async function ask(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, { headers: { ...headers }, redirect: "manual" });
  const body = await response.text();
  const all = [...response.headers].filter(([name]) => !AUTOMATIC.has(name));
  // As a programmer writes them: servers may treat the two spellings differently.
  const written = all.map(([name, value]) => [name.replace(/(?<![a-z])[a-z]/g, upper), value]);
  return { status: response.status, headers: Object.fromEntries(written), body };
}

function upper(letter: string): string {
  return letter.toUpperCase();
}

/**
 * True if the two cost a server the same: numbers may differ (request ids, uptime, seconds to wait), in their digits
 * but not in how many there are, save for one that has grown meanwhile.
 */
export function isSameAnswer(one: Answer, other: Answer): boolean {
  return shapeOf(one) === shapeOf(other) && Math.abs(one.body.length - other.body.length) <= 2;
}

function shapeOf({ status, headers, body }: Answer): string {
  const { "X-Request-Id": id, ...stable } = headers;
  const text = JSON.stringify([status, Object.entries(stable).toSorted(), body]);
  return `${id === undefined ? "" : "id "}${text.replaceAll(/\d+/g, "0")}`;
}
