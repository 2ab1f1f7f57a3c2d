import { ACCESS_CHECKS } from "./access-checks.ts";
import { BROWSER_CHECKS } from "./browser-checks.ts";
import type { Check } from "./check.ts";
import { CONFIG_CHECKS } from "./config-checks.ts";
import { LOCK_OUT_CHECKS } from "./lock-out-checks.ts";
import { REQUEST_CHECKS } from "./request-checks.ts";
import { SOCKET_CHECKS } from "./socket-checks.ts";
import { SURROUNDINGS_CHECKS } from "./surroundings-checks.ts";
import { VAULT_CHECKS } from "./vault-checks.ts";

/** The threat model: every row, in the order in which it is shown. */
export const CHECKS: readonly Check[] = [
  ...CONFIG_CHECKS,
  ...ACCESS_CHECKS,
  ...LOCK_OUT_CHECKS,
  ...REQUEST_CHECKS,
  ...BROWSER_CHECKS,
  ...SOCKET_CHECKS,
  ...VAULT_CHECKS,
  ...SURROUNDINGS_CHECKS,
];
