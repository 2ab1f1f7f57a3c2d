import { VAULT_STATUS } from "../vault/error.ts";
import { headersFor } from "./headers.ts";
import type { RequestScope } from "./env.ts";

/** Every way a request can be refused: the stable word and its status. */
export const PROBLEM_STATUS = {
  ...VAULT_STATUS,
  bad_host: 400,
  bad_request: 400,
  bad_json: 400,
  invalid_name: 400,
  unauthorized: 401,
  insufficient_scope: 403,
  origin_refused: 403,
  browser_token: 403,
  not_found: 404,
  session_not_found: 404,
  method_not_allowed: 405,
  body_timeout: 408,
  too_many_sessions: 409,
  body_too_large: 413,
  unsupported_encoding: 415,
  unsupported_media_type: 415,
  host_refused: 421,
  idempotency_key_reused: 422,
  range_not_satisfiable: 416,
  upgrade_required: 426,
  locked_out: 429,
  webhook_limited: 429,
  internal_error: 500,
  inbox_full: 503,
  agent_unavailable: 503,
  too_many_waiting: 503,
  unavailable: 503,
  storage_unavailable: 507,
} as const;

export type ProblemCode = keyof typeof PROBLEM_STATUS;

/** Titles are the status phrases (RFC 9110 section 15), as RFC 9457 section 4.2.1 wants with `about:blank`. */
const TITLE: Record<(typeof PROBLEM_STATUS)[ProblemCode], string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  412: "Precondition Failed",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
  507: "Insufficient Storage",
};

/**
 * The answer to a request that is refused: RFC 9457, with `code` for programs and `error` (the title) for simple ones.
 *
 * @param detail - for people: what was expected and what to do; nothing of the request, nothing of the inside
 */
export function problem(
  scope: RequestScope,
  code: ProblemCode,
  detail?: string,
  headers?: Readonly<Record<string, string>>,
): Response {
  return new Response(bodyOf(code, detail), {
    status: PROBLEM_STATUS[code],
    headers: headersFor(scope, "application/problem+json", headers),
  });
}

/** Thrown where a request can't be served, deep inside a handler: the app answers it as {@link problem} does. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: ProblemCode;
  readonly headers: Readonly<Record<string, string>> | undefined;

  /** @param detail - for people, as in {@link problem} */
  constructor(code: ProblemCode, detail: string, headers?: Readonly<Record<string, string>>) {
    super(detail);
    this.code = code;
    this.headers = headers;
  }
}

/** The last body made, since a flood is refused with one and the same. */
let last = { code: "" as string, detail: undefined as string | undefined, body: "" };

function bodyOf(code: ProblemCode, detail: string | undefined): string {
  if (last.code === code && last.detail === detail) return last.body;
  const status = PROBLEM_STATUS[code];
  const title = TITLE[status];
  const body = JSON.stringify({ type: "about:blank", title, status, detail, code, error: title });
  last = { code, detail, body };
  return body;
}
