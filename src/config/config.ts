import type { Principal } from "../auth/principal.ts";
import type { IpPrefix } from "../limit/ip-address.ts";
import type { Level } from "../log/log.ts";

/** The settings Nest runs with: validated, defaults filled in, secrets fetched, paths absolute. */
export interface Config {
  /** The file it was read from, absolute. */
  readonly file: string;
  readonly server: {
    readonly host: string;
    readonly port: number;
    /** The owner first, then `server.tokens`. */
    readonly principals: readonly Principal[];
    readonly trustedProxies: readonly IpPrefix[];
    /** Lower case. */
    readonly hosts: readonly string[];
    /** Exact origins; empty = CORS is off. */
    readonly corsOrigins: readonly string[];
    readonly rateLimit: {
      readonly maxFailures: number;
      readonly windowSeconds: number;
      readonly ipv6Prefix: number;
    };
  };
  readonly vault: { readonly path: string; readonly maxFileBytes: number };
  readonly agent: {
    /** Absent = the pi that ships with Nest. */
    readonly command?: readonly string[];
    readonly args: readonly string[];
    readonly env: Readonly<Record<string, string>>;
    /** Environment variables that hold Nest's own secrets and so never reach the agent. */
    readonly withheldEnv: readonly string[];
  };
  readonly sessions: ReadonlyMap<string, { readonly cwd: string; readonly idleMinutes: number }>;
  readonly webhooks: {
    readonly perSource: number;
    readonly global: number;
    readonly sources: ReadonlyMap<string, WebhookSource>;
  };
  readonly log: {
    readonly level: Level;
    readonly format: "auto" | "text" | "json";
    /** The security log's file, absolute; absent = none. */
    readonly audit?: string;
  };
}

export type WebhookSource = {
  readonly session: string;
  readonly template?: string;
} & (
  | { readonly verify: "bearer"; readonly digest: Uint8Array }
  | { readonly verify: "github" | "standard"; readonly secret: string }
);
