import { EXPOSITION_TYPE } from "../../metrics/exposition.ts";
import type { NestContext } from "../env.ts";
import { headersFor } from "../headers.ts";

/** `GET /api/metrics`: Prometheus text. */
export function metrics(read: () => string) {
  return (c: NestContext): Response =>
    new Response(read(), { headers: headersFor(c.env, EXPOSITION_TYPE) });
}
