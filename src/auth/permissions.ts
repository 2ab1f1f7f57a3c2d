import type { Principal, Scope } from "./principal.ts";

/**
 * What every route and every command of `/attach` asks for, in this one place. One scope of a row is enough. What has
 * no row is refused: a route without one can't be registered, a command without one can't be run.
 *
 * `none` is no token at all, because the route is open or has a credential of its own.
 */
export type Need = readonly [Scope, ...Scope[]] | "none";

/** May talk to the agent and read the conversation; `attach` may that, too. */
const TALK = ["attach", "prompt"] as const satisfies Need;
const CONTROL = ["attach"] as const satisfies Need;
/** Everybody but who holds a token for webhooks only: those are given to outsiders, who need to know nothing. */
const MEMBERS = ["attach", "prompt", "vault:read", "vault:write", "admin"] as const satisfies Need;

/** By method and path as registered; GET stands for HEAD, too. */
export const ROUTES: Readonly<Record<string, Need>> = {
  "GET /": "none",
  "GET /s/:session": "none",
  "GET /v": "none",
  "GET /v/*": "none",
  "GET /search": "none",
  "GET /more": "none",
  "GET /assets/:name": "none",
  "GET /sw.js": "none",
  "GET /manifest.webmanifest": "none",
  "GET /icon.svg": "none",
  "GET /icon-192.png": "none",
  "GET /icon-512.png": "none",
  "GET /health": "none",
  "GET /api/status": MEMBERS,
  "GET /api/browsers": MEMBERS,
  "POST /api/browsers": MEMBERS,
  "DELETE /api/browsers/:id": MEMBERS,
  "GET /api/files": ["vault:read"],
  "GET /api/files/": ["vault:read"],
  "PUT /api/files/": ["vault:write"],
  "DELETE /api/files/": ["vault:write"],
  "GET /api/files/:path": ["vault:read"],
  "PUT /api/files/:path": ["vault:write"],
  "DELETE /api/files/:path": ["vault:write"],
  "POST /api/move": ["vault:write"],
  "GET /api/search": ["vault:read"],
  "GET /api/sessions": MEMBERS,
  "PUT /api/sessions/:name": ["attach", "admin"],
  "DELETE /api/sessions/:name": ["attach", "admin"],
  "GET /api/sessions/:name/messages": TALK,
  "GET /attach": TALK,
  "POST /api/webhook": ["webhook"],
  "POST /api/webhook/:source": "none",
  "GET /api/lockouts": ["admin"],
  "DELETE /api/lockouts/:address": ["admin"],
  "GET /api/metrics": ["admin"],
};

/** By type. */
export const COMMANDS: Readonly<Record<string, Need>> = {
  prompt: TALK,
  retry_prompt: TALK,
  steer: TALK,
  follow_up: TALK,
  abort: TALK,
  get_state: TALK,
  get_messages: TALK,
  get_last_assistant_text: TALK,
  get_session_stats: TALK,
  abort_bash: CONTROL,
  abort_retry: CONTROL,
  bash: CONTROL,
  clear_queue: CONTROL,
  clone: CONTROL,
  compact: CONTROL,
  cycle_model: CONTROL,
  cycle_thinking_level: CONTROL,
  export_html: CONTROL,
  extension_ui_response: CONTROL,
  fork: CONTROL,
  get_available_models: CONTROL,
  get_available_thinking_levels: CONTROL,
  get_commands: CONTROL,
  get_entries: CONTROL,
  get_fork_messages: CONTROL,
  get_tree: CONTROL,
  new_session: CONTROL,
  set_auto_compaction: CONTROL,
  set_auto_retry: CONTROL,
  set_follow_up_mode: CONTROL,
  set_model: CONTROL,
  set_session_name: CONTROL,
  set_steering_mode: CONTROL,
  set_thinking_level: CONTROL,
};

/** To be told on a socket which files of the vault change: names are for those who may read them. */
export const VAULT_EVENTS: Need = ["attach", "vault:read"];

/** What a route or command asks for; `undefined` if it has no row. */
export function needOf(table: Readonly<Record<string, Need>>, name: string): Need | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** True if the token is enough. */
export function allows(principal: Principal | undefined, need: Need | undefined): boolean {
  if (need === "none") return true;
  if (need === undefined || principal === undefined) return false;
  return need.some((scope) => principal.scopes.has(scope));
}

/** The scope that a refusal names: of several the first. */
export function scopeNamed(need: Need | undefined): Scope | undefined {
  return need === undefined || need === "none" ? undefined : need[0];
}
