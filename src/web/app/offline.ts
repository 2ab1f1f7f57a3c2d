import { BASE } from "../base.ts";

/**
 * Registers the service worker, which keeps the shell for when Nest is away. Its address is the one string of ours that
 * becomes code, so the one Trusted Types policy is for it, and it lets nothing else through.
 */
export function keepOffline(): void {
  // Absent on plain HTTP from elsewhere than this machine.
  if (!("serviceWorker" in navigator)) return;
  const address = new URL("sw.js", BASE).href;
  const types = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes;
  const policy = types?.createPolicy("nest-worker", {
    createScriptURL(url) {
      if (url !== address) throw new TypeError("not the worker's address");
      return url;
    },
  });
  const trusted = (policy?.createScriptURL(address) ?? address) as string;
  navigator.serviceWorker.register(trusted, { scope: BASE.pathname }).catch(() => {
    // Without it all works but the offline page.
  });
}

/** Trusted Types, as far as they are used here; not in every browser. */
interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL(url: string): string },
  ): { createScriptURL(url: string): unknown };
}
