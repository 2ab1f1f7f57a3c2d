/** A session as `GET /api/sessions` names it. */
export interface SessionInfo {
  readonly name: string;
  readonly state?: string;
}

export interface VaultEntry {
  readonly path: string;
  readonly type: "file" | "dir" | "link";
}

/** Raised with words for people. */
export class ApiFailure extends Error {
  override readonly name = "ApiFailure";
  /** HTTP status; 0 if there was no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const TIMEOUT_MS = 10_000;
/** Names offered for completion, count. */
const MAX_ENTRIES = 500;

/** The HTTP routes that the terminal uses beside the socket. */
export class NestApi {
  readonly #base: string;
  readonly #token: () => string;

  /** @param base - `http:` or `https:` URL of Nest */
  constructor(base: string, token: () => string) {
    this.#base = base.endsWith("/") ? base : `${base}/`;
    this.#token = token;
  }

  async sessions(): Promise<SessionInfo[]> {
    const response = await this.#request("GET", "api/sessions");
    const body = (await response.json()) as { sessions?: unknown } | unknown[];
    const list = Array.isArray(body) ? body : body.sessions;
    return Array.isArray(list) ? list.filter((entry) => typeof entry?.name === "string") : [];
  }

  /** @param dir - `""` is the vault itself */
  async files(dir: string, signal?: AbortSignal): Promise<VaultEntry[]> {
    const query = new URLSearchParams({ dir, depth: "1", limit: String(MAX_ENTRIES) });
    const response = await this.#request("GET", `api/files?${query}`, undefined, signal);
    const { entries } = (await response.json()) as { entries?: unknown };
    return Array.isArray(entries) ? entries.filter((entry) => typeof entry?.path === "string") : [];
  }

  /** Puts a new file into the vault. @throws {ApiFailure} 412 if it is there already */
  async put(path: string, content: Uint8Array<ArrayBuffer>): Promise<void> {
    const encoded = path.split("/").map(encodeURIComponent).join("/");
    await this.#request("PUT", `api/files/${encoded}`, content);
  }

  async #request(
    method: string,
    path: string,
    body?: Uint8Array<ArrayBuffer>,
    signal?: AbortSignal,
  ): Promise<Response> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let response: Response;
    try {
      response = await fetch(new URL(path, this.#base), {
        method,
        headers: {
          Authorization: `Bearer ${this.#token()}`,
          ...(body !== undefined && { "If-None-Match": "*" }),
        },
        ...(body !== undefined && { body }),
        redirect: "error",
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      });
    } catch {
      throw new ApiFailure(0, "no answer");
    }
    if (response.ok) return response;
    const { title } = (await response.json().catch(() => ({}))) as { title?: unknown };
    throw new ApiFailure(
      response.status,
      typeof title === "string" ? title : `HTTP ${response.status}`,
    );
  }
}
