import type { NestContext } from "../env.ts";
import { json } from "../headers.ts";

export interface Status {
  readonly version: string;
  /** Seconds since the start. */
  readonly uptimeSeconds: number;
  /** Sessions in use. */
  readonly sessions: number;
  /** Open sockets of `/attach`. */
  readonly sockets: number;
  /** Addresses that are locked out now. */
  readonly lockouts: number;
}

/** `GET /api/status`. */
export function status(read: () => Status) {
  return (c: NestContext): Response => json(c.env, read());
}
