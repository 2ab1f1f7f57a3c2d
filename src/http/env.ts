import type { Context } from "hono";
import { getPath } from "hono/utils/url";
import type { Connection } from "../attach/connection.ts";
import type { Principal } from "../auth/principal.ts";
import type { ClientAddress, ClientAddresses } from "../limit/client-address.ts";

/** The settings of the pipeline that a reload exchanges, all at once. */
export interface HttpSettings {
  /** Host names served besides IP literals and localhost, lower case. */
  readonly hosts: ReadonlySet<string>;
  /** Tells clients apart, behind trusted proxies too. */
  readonly addresses: ClientAddresses;
  /** Exact origins; empty = CORS is off. */
  readonly corsOrigins: readonly string[];
}

/** Bun's server, as far as it is used here. */
export interface ServerHandle {
  requestIP(request: Request): { readonly address: string } | null;
  upgrade(request: Request, options: { readonly data: Connection }): boolean;
}

/**
 * One request and what belongs to it: all that the steps of the pipeline look at, and Hono's bindings.
 *
 * The client address is found out when it is first asked for: an ordinary request with a good token needs none while
 * nobody is locked out. It must be asked for before any `await`, since `requestIP` knows nothing of a client that has
 * gone; the steps of the pipeline are synchronous for that, too.
 */
export class RequestScope {
  readonly request: Request;
  readonly #server: ServerHandle;
  readonly settings: HttpSettings;
  #path: string | undefined;
  #id: string | undefined;
  #client: ClientAddress | undefined;
  /** True once Bun has answered with 101: what a handler returns then is thrown away. */
  isUpgraded = false;
  /** Counts the answer's status; set by the route. */
  count: ((status: number) => void) | undefined;
  /** Who asks; set by the authentication step. */
  principal: Principal | undefined;

  constructor(request: Request, server: ServerHandle, settings: HttpSettings) {
    this.request = request;
    this.#server = server;
    this.settings = settings;
  }

  /**
   * The path that is routed by, decoded as Hono does it (`%2f` stays), so that steps and routes never differ on it.
   * Not to be asked for before the Host is known to be good: the URL is relative or unparsable until then.
   */
  get path(): string {
    this.#path ??= getPath(this.request);
    return this.#path;
  }

  /** Method and path for the log: no query string, which may hold anything. */
  get route(): string {
    return `${this.request.method} ${this.path}`;
  }

  header(name: string): string | null {
    return this.request.headers.get(name);
  }

  /** Shown as X-Request-Id and in the log. Unique to this process and its start; tells nothing. */
  get id(): string {
    this.#id ??= nextRequestId();
    return this.#id;
  }

  get client(): ClientAddress {
    this.#client ??= this.settings.addresses.of(
      this.#server.requestIP(this.request)?.address,
      this.request.headers,
    );
    return this.#client;
  }

  upgrade(connection: Connection): boolean {
    this.isUpgraded = this.#server.upgrade(this.request, { data: connection });
    return this.isUpgraded;
  }
}

export interface NestEnv {
  Bindings: RequestScope;
}

export type NestContext = Context<NestEnv>;

/**
 * One step of the pipeline: an answer, which ends it, or nothing. Synchronous on purpose: no other request's check or
 * count can come in between, and Bun still takes an upgrade (RUNTIME: it answers 400 once an `await` has left the turn
 * and the client's first frame has come with its request).
 */
export type Step = (scope: RequestScope) => Response | undefined;

const prefix = `${crypto.getRandomValues(new Uint8Array(4)).toHex()}-`;

/** The last three digits of ids, made once: turning a number into text anew costs as much as setting the header. */
const LAST_DIGITS = Array.from({ length: 1000 }, (_, i) => String(i).padStart(3, "0"));
let thousands = 0;
let next = 0;
let stem = `${prefix}${thousands}`;

function nextRequestId(): string {
  if (next === LAST_DIGITS.length) {
    next = 0;
    stem = `${prefix}${++thousands}`;
  }
  return stem + LAST_DIGITS[next++];
}
