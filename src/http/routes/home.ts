import { headersFor } from "../headers.ts";
import type { NestContext } from "../env.ts";

const TEXT = `Nest is running.

  GET  /health       is it alive
  GET  /api/status   what it does (bearer token)
  WS   /attach       talk to the agent (bearer token)

How to: README.md and docs/attach-protocol.md.
`;

const POLICY = { "Content-Security-Policy": "default-src 'none'" };

/** `GET /`: says what this is to whoever opens the address in a browser. */
export function home(c: NestContext): Response {
  return new Response(TEXT, {
    headers: headersFor(c.env, "text/plain; charset=utf-8", POLICY),
  });
}
