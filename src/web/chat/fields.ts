/** Reading pi's records, of which nothing is taken on trust: a wrong type reads as empty. */
export type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : {};
}

export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

export function numberOf(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) ? value : 0;
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textsOf(value: unknown): string[] {
  return listOf(value).filter((text) => typeof text === "string");
}

/** The text in a message's or a result's `content`: a string, or parts of which those with text count. */
export function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  return listOf(content)
    .map((part) => {
      const { type, text } = fieldsOf(part);
      return type === "text" ? textOf(text) : type === "image" ? "[picture]" : "";
    })
    .join("");
}
