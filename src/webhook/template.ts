import { plainText, shortened } from "./plain-text.ts";

/** A template, taken apart: literal text and the paths between it. */
export interface Template {
  readonly parts: readonly (string | readonly string[])[];
}

/** Longest inserted value and longest result, UTF-16 code units. */
const MAX_VALUE_LENGTH = 8000;
const MAX_RESULT_LENGTH = 32_000;
/** Most components of a path. */
const MAX_COMPONENTS = 16;

const PLACE = /\{\{(.*?)\}\}/s;
const COMPONENT = /^[A-Za-z0-9_-]{1,64}$/;

/** A template that says something we don't know; the message may be shown. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
}

/**
 * Reads a template: text with `{{dotted.path}}` places, numbers picking from lists. There is nothing else: no
 * conditions, no filters, no code.
 *
 * @throws {TemplateError}
 */
export function parseTemplate(template: string): Template {
  const parts = template.split(new RegExp(PLACE, "gs")).map((part, i) => {
    if (i % 2 === 0) return part;
    const path = part.trim().split(".");
    if (path.length > MAX_COMPONENTS || !path.every((component) => COMPONENT.test(component))) {
      throw new TemplateError(
        "a template whose places are dotted paths of letters, digits, _ and -, like {{pull_request.title}}",
      );
    }
    return path;
  });
  if (parts.some((part) => typeof part === "string" && part.includes("{{")))
    throw new TemplateError('a template in which every "{{" has its "}}"');
  return { parts };
}

/**
 * Fills a template from a payload. A value is inserted once, as text, and never looked at again, so `{{…}}` or `$&` in
 * it stay what they are. What is missing is empty; mappings and lists are written as JSON.
 */
export function render(template: Template, payload: unknown): string {
  let text = "";
  for (const part of template.parts) {
    text += typeof part === "string" ? part : textOf(pick(payload, part));
    if (text.length > MAX_RESULT_LENGTH) break;
  }
  return shortened(text, MAX_RESULT_LENGTH);
}

/** Own properties only: `constructor` and `__proto__` find what the payload itself says under that name, if anything. */
function pick(payload: unknown, path: readonly string[]): unknown {
  let value = payload;
  for (const component of path) {
    if (typeof value !== "object" || value === null) return undefined;
    if (Array.isArray(value) && !/^\d+$/.test(component)) return undefined;
    if (!Object.hasOwn(value, component)) return undefined;
    value = (value as Record<string, unknown>)[component];
  }
  return value;
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return plainText(shortened(text, MAX_VALUE_LENGTH));
}
