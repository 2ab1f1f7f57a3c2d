import type { LockOut } from "../../limit/lock-out.ts";
import type { Step } from "../env.ts";
import { problem } from "../problem.ts";

/**
 * Step 2: a locked-out client gets 429 for everything, the right token included: telling it apart would be the answer
 * to a guess. While nobody is locked not even the address is looked up.
 */
export function refuseLockedOut(lockOut: LockOut): Step {
  // A flood is refused many times in the same second: what it is told is made once.
  let said = refusal(0);
  return function lockedOut(scope) {
    if (!lockOut.isAnyoneLocked) return undefined;
    const remainingMs = lockOut.remainingMs(scope.client.key);
    if (remainingMs === 0) return undefined;
    const seconds = Math.ceil(remainingMs / 1000);
    if (said.seconds !== seconds) said = refusal(seconds);
    return problem(scope, "locked_out", said.detail, said.headers);
  };
}

function refusal(seconds: number) {
  return {
    seconds,
    detail: `Too many failed authentications. Try again in ${seconds} s`,
    headers: { "Retry-After": String(seconds) },
  };
}
