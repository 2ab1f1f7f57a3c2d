import { LIMITS } from "./protocol.ts";

/** The token of an `auth` frame; `undefined` for anything else, however near. */
export function parseAuthFrame(frame: string | Buffer): string | undefined {
  if (typeof frame !== "string" || Buffer.byteLength(frame) > LIMITS.maxAuthFrameBytes)
    return undefined;
  const parsed = parseObject(frame);
  if (parsed?.["type"] !== "auth" || typeof parsed["token"] !== "string") return undefined;
  return parsed["token"];
}

/** A frame that is at least an object with a type, and an id that can be sent back. */
export interface CommandFrame {
  readonly type: string;
  readonly id: string | number | undefined;
  readonly fields: Readonly<Record<string, unknown>> & { readonly type: string };
}

/** Longest id that is sent back, UTF-16 code units. */
const MAX_ID_LENGTH = 128;

/** `undefined` for what is no command at all: binary, not JSON, no object, no type, an odd id. */
export function parseCommandFrame(frame: string | Buffer): CommandFrame | undefined {
  if (typeof frame !== "string") return undefined;
  const fields = parseObject(frame);
  const type = fields?.["type"];
  const id = fields?.["id"];
  if (fields === undefined || typeof type !== "string") return undefined;
  if (id !== undefined && !isId(id)) return undefined;
  return { type: type.slice(0, 64), id, fields: fields as CommandFrame["fields"] };
}

function isId(id: unknown): id is string | number {
  return typeof id === "string" ? id.length <= MAX_ID_LENGTH : Number.isFinite(id);
}

function parseObject(json: string): Record<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    // Not JSON, or nested deeper than the parser goes.
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  return value as Record<string, unknown>;
}
