import { Hono } from "hono";
import type { Attach } from "../attach/attach.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { LockOut } from "../limit/lock-out.ts";
import type { Log } from "../log/log.ts";
import { VaultError } from "../vault/error.ts";
import { callerFor } from "./caller.ts";
import { answerPreflight } from "./cors.ts";
import { type Access, type Handler, MEMBERS, type Methods } from "./access.ts";
import type { NestEnv, RequestScope, Step } from "./env.ts";
import { headersFor } from "./headers.ts";
import { authenticate } from "./middleware/authenticate.ts";
import { checkHost } from "./middleware/host.ts";
import { refuseLockedOut } from "./middleware/lock-out.ts";
import { insufficientScope, problem, Refusal } from "./problem.ts";
import { attachRoute } from "./routes/attach.ts";
import { browser, browsers, type BrowsersOptions } from "./routes/browsers.ts";
import {
  type FileRoutesOptions,
  deleteFile,
  listFiles,
  readFile,
  writeFile,
} from "./routes/files.ts";
import { health } from "./routes/health.ts";
import { moveFile } from "./routes/move.ts";
import { searchVault, type SearchRouteOptions } from "./routes/search.ts";
import { type Status, status } from "./routes/status.ts";
import { workspaceFile, workspaceShell } from "./routes/workspace.ts";
import type { WorkspaceSource } from "./workspace.ts";

export interface AppParts extends Omit<FileRoutesOptions & SearchRouteOptions, "callerOf"> {
  readonly authenticator: Authenticator;
  readonly lockOut: LockOut;
  readonly attach: Attach;
  readonly hasSession: (name: string) => boolean;
  readonly status: () => Status;
  readonly browsers: BrowsersOptions["browsers"];
  readonly workspace: WorkspaceSource;
  readonly log: Log;
}

/** Deep links into the workspace: a session, the vault and a note in it, and the views without a name. */
const SHELL_PATHS = ["/", "/s/:session", "/v", "/v/*", "/search", "/more"];
const FILE_PATHS = [
  "/assets/:name",
  "/sw.js",
  "/manifest.webmanifest",
  "/icon.svg",
  "/icon-192.png",
  "/icon-512.png",
];

/** The whole gateway as one fetch handler. Its bindings are the {@link RequestScope} of each request. */
export function createApp(parts: AppParts): Hono<NestEnv> {
  const { log, lockOut } = parts;
  // Routed by the very path that the steps have seen.
  const files = { ...parts, callerOf: callerFor(log) };

  const app = new Hono<NestEnv>({
    getPath: (_, bound) => (bound as { env: RequestScope }).env.path,
  });

  // Every request, in this order (contract section 3). Nothing below is reached but through all of it.
  const pipeline = inOrder(
    checkHost(log),
    refuseLockedOut(lockOut),
    answerPreflight((scope) => headersFor(scope, "text/plain")),
    authenticate(parts),
  );
  const route = (path: string, methods: Methods) => app.all(path, pipeline(byMethod(methods)));

  // What a token may call: `open` needs none, a list needs one of its scopes, `own` checks by itself.
  // The workspace's page for each of its views, and its files: there is nothing in them.
  const shell = workspaceShell(parts.workspace);
  for (const path of SHELL_PATHS) route(path, { GET: ["open", shell] });
  const file = workspaceFile(parts.workspace);
  for (const path of FILE_PATHS) route(path, { GET: ["open", file] });
  route("/health", { GET: ["open", health] });
  route("/api/status", { GET: [MEMBERS, status(parts.status)] });
  route("/api/browsers", browsers(parts));
  route("/api/browsers/:id", browser(parts));
  route("/api/files", { GET: [["vault:read"], listFiles(files)] });
  // Any character: a file's name may hold a newline.
  route("/api/files/:path{[\\s\\S]*}", {
    GET: [["vault:read"], readFile(files)],
    PUT: [["vault:write"], writeFile(files)],
    DELETE: [["vault:write"], deleteFile(files)],
  });
  route("/api/move", { POST: [["vault:write"], moveFile(files)] });
  route("/api/search", { GET: [["vault:read"], searchVault(files)] });
  route("/attach", { GET: ["own", attachRoute(parts)] });

  app.notFound(pipeline((c) => problem(c.env, "not_found")));
  app.onError((error, c) => {
    if (error instanceof Refusal) return problem(c.env, error.code, error.message, error.headers);
    if (error instanceof VaultError) return problem(c.env, error.code, error.message);
    // Nobody reads the answer any more, and nothing went wrong here.
    if (c.req.raw.signal.aborted) return problem(c.env, "bad_request");
    log.error("request_failed", {
      route: c.env.route,
      request: c.env.id,
      reason: error.stack ?? String(error),
    });
    return problem(c.env, "internal_error");
  });
  return app;
}

/**
 * Puts the steps before a handler: the first that answers ends the request.
 *
 * Composed here and not by `app.use`: with one handler for a path Hono calls it as it is, while a middleware beside it
 * brings in promises, and they alone cost a tenth of a request. `tests/http/routes.test.ts` holds every path of the
 * app against this.
 */
function inOrder(...steps: readonly Step[]): (handler: Handler) => Handler {
  return (handler) =>
    function pipeline(c) {
      for (const step of steps) {
        const answer = step(c.env);
        if (answer !== undefined) return answer;
      }
      return handler(c);
    };
}

/**
 * Picks the method's handler, and lets in who has its scope. HEAD is GET without the body. Any other method is 405 with
 * `Allow` (RFC 9110 section 15.5.6).
 */
function byMethod(methods: Methods): Handler {
  const table = new Map(
    Object.entries(methods).map(([method, [access, handler]]) => [method, guard(access, handler)]),
  );
  const get = table.get("GET");
  if (get !== undefined) table.set("HEAD", get);
  const headers = { Allow: [...table.keys()].join(", ") };
  return function dispatch(c) {
    const handler = table.get(c.env.request.method);
    return handler === undefined
      ? problem(c.env, "method_not_allowed", undefined, headers)
      : handler(c);
  };
}

function guard(access: Access, handler: Handler): Handler {
  if (access === "open" || access === "own") return handler;
  return function guarded(c) {
    const held = c.env.principal?.scopes;
    return held !== undefined && access.some((scope) => held.has(scope))
      ? handler(c)
      : insufficientScope(c.env, access[0]);
  };
}
