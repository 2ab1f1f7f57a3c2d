import type { Authenticator } from "../auth/authenticator.ts";
import { mayChange } from "../auth/protected-paths.ts";
import type { AuditEvent, Fields, Log } from "../log/log.ts";
import type { Caller } from "../vault/access.ts";
import type { RequestScope } from "./env.ts";
import { renewed } from "./middleware/authenticate.ts";

/** Makes the vault's callers out of requests. */
export function callerFor(log: Log, authenticator: Authenticator): (scope: RequestScope) => Caller {
  return (scope) => ({
    // Who may not administer may not have code run, and that is what these paths do. By the token as it is now: a body
    // may have taken hours since it was looked at.
    may: (names, access) => access === "read" || mayChange(renewed(scope, authenticator), names),
    isLimited: scope.principal?.scopes.has("admin") !== true,
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

/** Tells the security log what was changed. */
export type Auditor = (scope: RequestScope) => (event: VaultEvent, fields: Fields) => void;

type VaultEvent = Extract<AuditEvent, `vault_${string}`>;

/** Asks for the address at once: behind an `await` nobody knows that of a client that has gone. */
export function auditorFor(log: Log): Auditor {
  return (scope) => {
    const token = scope.principal?.name;
    const address = scope.client.key;
    return (event, fields) => log.audit(event, { token, address, ...fields, request: scope.id });
  };
}
