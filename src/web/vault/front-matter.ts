/** What stands before a note's text: properties, and where the text begins. */
export interface Parted {
  readonly properties: readonly (readonly [name: string, value: string])[];
  readonly text: string;
}

const FRONT = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)\r?\n?^---[ \t]*(?:\r?\n|$)/m;
/** Longer ones are shown as text, UTF-16 code units. */
const MAX_LENGTH = 20_000;

/** Takes the front matter off a note. Nested values are shown as they are written: nothing here depends on them. */
export function partFrontMatter(source: string): Parted {
  const found = /^\uFEFF?---/.test(source) ? FRONT.exec(source.slice(0, MAX_LENGTH)) : null;
  if (found === null || found.index !== 0) return { properties: [], text: source };
  const properties: [string, string][] = [];
  for (const line of (found[1] ?? "").split(/\r?\n/)) {
    const named = /^([^\s:#-][^:]{0,100}):(?:\s+(.*))?$/.exec(line);
    const last = properties.at(-1);
    if (named !== null) properties.push([named[1] ?? "", (named[2] ?? "").trim()]);
    else if (last !== undefined && line.trim() !== "")
      last[1] = [last[1], line.trim().replace(/^- /, "")].filter((part) => part !== "").join(", ");
  }
  return { properties, text: source.slice(found[0].length) };
}
