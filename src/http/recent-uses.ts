import type { Principal } from "../auth/principal.ts";
import type { RequestScope } from "./env.ts";

/** Tokens remembered, and addresses of each, count. */
const MAX_PRINCIPALS = 64;
const MAX_ADDRESSES = 256;
/** A token's address is looked up at most so often, ms: that is what a request costs most. */
const LOOK_INTERVAL_MS = 100;
/** After so long a use from the same address is told again, ms. */
const TOLD_MS = 60 * 60 * 1000;

/**
 * Which token was used from where: the security log tells of it once an hour, not with every request. In a flood it is
 * one request in 100 ms that is looked at.
 */
export class RecentUses {
  readonly #monotonicMs: () => number;
  readonly #uses = new Map<Principal, { lookedMs: number; addresses: Map<string, number> }>();

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** True if this use is to be told. Synchronous, and before any `await`: it may ask for the address. */
  isNew(principal: Principal, scope: RequestScope): boolean {
    const nowMs = this.#monotonicMs();
    let use = this.#uses.get(principal);
    if (use === undefined) {
      // Principals are made anew with each reload; those of before would stay.
      if (this.#uses.size >= MAX_PRINCIPALS) this.#uses.clear();
      use = { lookedMs: Number.NEGATIVE_INFINITY, addresses: new Map() };
      this.#uses.set(principal, use);
    }
    if (nowMs - use.lookedMs < LOOK_INTERVAL_MS) return false;
    use.lookedMs = nowMs;
    const { key } = scope.client;
    const toldMs = use.addresses.get(key);
    if (toldMs !== undefined && nowMs - toldMs < TOLD_MS) return false;
    if (use.addresses.size >= MAX_ADDRESSES) use.addresses.clear();
    use.addresses.set(key, nowMs);
    return true;
  }
}
