import type { Log } from "../log/log.ts";
import type { Caller } from "../vault/access.ts";
import type { RequestScope } from "./env.ts";

/** Makes the vault's callers out of requests. */
export function callerFor(log: Log): (scope: RequestScope) => Caller {
  return (scope) => ({
    violated: ({ operation, path, code }) =>
      log.security("vault_violation", {
        address: scope.client.key,
        route: scope.route,
        reason: code,
        operation,
        path,
        token: scope.principal?.name,
        request: scope.id,
      }),
  });
}
