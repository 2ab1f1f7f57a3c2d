import type { LockOut } from "../../limit/lock-out.ts";
import type { Step } from "../env.ts";
import { problem } from "../problem.ts";

/**
 * Step 2: a locked-out client gets 429 for everything, the right token included: telling it apart would be the answer
 * to a guess. While nobody is locked not even the address is looked up.
 */
export function refuseLockedOut(lockOut: LockOut): Step {
  return function lockedOut(c) {
    if (!lockOut.isAnyoneLocked) return undefined;
    const remainingMs = lockOut.remainingMs(c.env.client.key);
    if (remainingMs === 0) return undefined;
    const seconds = String(Math.ceil(remainingMs / 1000));
    return problem(c, "locked_out", `Too many failed authentications. Try again in ${seconds} s`, {
      "Retry-After": seconds,
    });
  };
}
