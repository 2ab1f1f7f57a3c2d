import type { NestContext } from "../env.ts";
import { json } from "../headers.ts";

/** `GET /health`: alive, and nothing more, since anyone may ask. */
export function health(c: NestContext): Response {
  return json(c.env, { status: "ok" });
}
