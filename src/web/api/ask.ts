import { addressOf } from "../base.ts";

/** A refusal by the server, or no answer at all. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  /** The server's stable word, `unreachable` where nobody answered. */
  readonly code: string;
  /** 0 where nobody answered. */
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;

  constructor(code: string, status: number, message: string, retryAfterSeconds?: number) {
    super(message);
    this.code = code;
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** @throws {ApiError} if nobody answers */
export async function ask(
  path: string,
  init: RequestInit,
  token: string | undefined,
): Promise<Response> {
  const headers = new Headers(init.headers);
  if (token !== undefined) headers.set("Authorization", `Bearer ${token}`);
  try {
    return await fetch(addressOf(path), {
      ...init,
      headers,
      credentials: "omit",
      mode: "same-origin",
      redirect: "error",
    });
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError("unreachable", 0, "Nest doesn't answer");
  }
}

/** What a refusal says, made fit for people. */
export async function errorOf(response: Response): Promise<ApiError> {
  const seconds = Number(response.headers.get("Retry-After"));
  const retryAfter = Number.isFinite(seconds) && seconds > 0 ? seconds : undefined;
  let problem: { code?: unknown; detail?: unknown; title?: unknown } = {};
  try {
    problem = ((await response.json()) ?? {}) as typeof problem;
  } catch {
    // A proxy's page, perhaps: the status has to do.
  }
  const code = typeof problem.code === "string" ? problem.code : `http_${response.status}`;
  const detail = problem.detail ?? problem.title;
  const message = typeof detail === "string" ? detail : `The server answered ${response.status}`;
  return new ApiError(code, response.status, message, retryAfter);
}
