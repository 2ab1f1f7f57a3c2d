import type { LockOut } from "../../limit/lock-out.ts";
import type { Log } from "../../log/log.ts";
import type { NestContext } from "../env.ts";
import { headersFor, json } from "../headers.ts";
import { problem } from "../problem.ts";

/** `GET /api/lockouts`: the locked addresses, oldest lock first, with the seconds that are left. */
export function listLockouts(lockOut: LockOut) {
  return (c: NestContext): Response =>
    json(c.env, {
      lockouts: lockOut.list().map(({ address, remainingMs }) => ({
        address,
        retryAfterSeconds: Math.ceil(remainingMs / 1000),
      })),
    });
}

/** `DELETE /api/lockouts/{address}`: ends a lock. The address as listed, or any that falls under it. */
export function liftLockout(lockOut: LockOut, log: Log) {
  return function lift(c: NestContext): Response {
    const scope = c.env;
    const address = scope.settings.addresses.keyOf(c.req.param("address") ?? "");
    if (address === undefined)
      return problem(scope, "bad_request", "Expected an IP address, as the list shows it");
    if (!lockOut.lift(address))
      return problem(scope, "not_found", "This address is not locked out");
    log.audit("lockout_lifted", {
      token: scope.principal?.name,
      address: scope.client.key,
      lifted: address,
      request: scope.id,
    });
    return new Response(null, { status: 204, headers: headersFor(scope, "text/plain") });
  };
}
