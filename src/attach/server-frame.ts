import type { ServerFrame } from "./protocol.ts";

/** `undefined` for what is no frame; fields of known types are checked as far as they decide something here. */
export function parseServerFrame(
  data: unknown,
): ServerFrame | { readonly type: string } | undefined {
  if (typeof data !== "string") return undefined;
  let frame: { type?: unknown; seq?: unknown; event?: { type?: unknown } | null } | null;
  try {
    frame = JSON.parse(data);
  } catch {
    return undefined;
  }
  if (typeof frame !== "object" || frame === null || typeof frame.type !== "string")
    return undefined;
  const isNumbered = frame.type === "event" || frame.type === "attached";
  if (isNumbered && !Number.isSafeInteger(frame.seq)) return undefined;
  if (frame.type === "event" && typeof frame.event?.type !== "string") return undefined;
  return frame as { type: string };
}
