import type { Caller } from "../../vault/access.ts";
import type { Search } from "../../vault/search.ts";
import type { NestContext, RequestScope } from "../env.ts";
import { json } from "../headers.ts";
import { wholeNumber } from "../query.ts";

export interface SearchRouteOptions {
  readonly search: Search;
  /** On whose behalf the vault is searched. */
  readonly callerOf: (scope: RequestScope) => Caller;
}

/** `GET /api/search?q=&limit=`: names and lines that hold a text. Ends when the client goes. */
export function searchVault({ search, callerOf }: SearchRouteOptions) {
  return async function find(c: NestContext): Promise<Response> {
    const { matches, truncated } = await search.find(c.req.query("q") ?? "", {
      caller: callerOf(c.env),
      limit: wholeNumber(c, "limit"),
      signal: c.req.raw.signal,
    });
    return json(c.env, { matches, ...(truncated && { truncated }) });
  };
}
