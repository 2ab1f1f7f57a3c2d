import type { Scope } from "../auth/principal.ts";
import type { NestContext } from "./env.ts";

export type Handler = (c: NestContext) => Response | Promise<Response>;

/** Who may: anybody, who holds one of the scopes, or whom the route itself lets. */
export type Access = "open" | "own" | readonly [Scope, ...Scope[]];

/** Everybody but who holds a token for webhooks only: those are given to outsiders, who need to know nothing. */
export const MEMBERS: Access = ["admin", "attach", "prompt", "vault:read", "vault:write"];

/** A route's handlers by method, each with who may call it. */
export type Methods = Readonly<Record<string, readonly [Access, Handler]>>;
