import { Hono } from "hono";
import type { Attach } from "../attach/attach.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { Clock } from "../clock.ts";
import type { LockOut } from "../limit/lock-out.ts";
import type { Log } from "../log/log.ts";
import type { RequestCounts } from "../metrics/request-counts.ts";
import type { Tally } from "../metrics/tally.ts";
import { VaultError } from "../vault/error.ts";
import type { Webhooks } from "../webhook/webhooks.ts";
import { authorized, type Handler, type Methods, routeName } from "./authorize.ts";
import { auditorFor, callerFor } from "./caller.ts";
import { answerPreflight } from "./cors.ts";
import type { NestEnv, RequestScope, Step } from "./env.ts";
import { headersFor } from "./headers.ts";
import { authenticate, refuseCredentials } from "./middleware/authenticate.ts";
import { checkHost } from "./middleware/host.ts";
import { refuseLockedOut } from "./middleware/lock-out.ts";
import { problem, Refusal } from "./problem.ts";
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
import { liftLockout, listLockouts } from "./routes/lockouts.ts";
import { metrics } from "./routes/metrics.ts";
import { moveFile } from "./routes/move.ts";
import { searchVault, type SearchRouteOptions } from "./routes/search.ts";
import {
  endSession,
  listSessions,
  messages,
  putSession,
  type SessionsApi,
} from "./routes/sessions.ts";
import { type Status, status } from "./routes/status.ts";
import { WebhookDoor, type WebhookOutcome, webhookRoute } from "./routes/webhook.ts";
import { webhookSourceRoute } from "./routes/webhook-source.ts";
import { workspaceFile, workspaceShell } from "./routes/workspace.ts";
import type { WorkspaceSource } from "./workspace.ts";

export interface AppParts extends Omit<
  FileRoutesOptions & SearchRouteOptions,
  "callerOf" | "auditOf"
> {
  readonly authenticator: Authenticator;
  readonly lockOut: LockOut;
  readonly attach: Attach;
  readonly sessions: SessionsApi;
  readonly status: () => Status;
  readonly webhooks: Webhooks;
  /** Prometheus text. */
  readonly metrics: () => string;
  readonly requests: RequestCounts;
  readonly webhookOutcomes: Tally<WebhookOutcome>;
  readonly clock: Clock;
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
  const { log, lockOut, requests, webhooks, clock, authenticator, sessions } = parts;
  const files = { ...parts, callerOf: callerFor(log, authenticator), auditOf: auditorFor(log) };

  // Routed by the very path that the steps have seen.
  const app = new Hono<NestEnv>({
    getPath: (_, bound) => (bound as { env: RequestScope }).env.path,
  });

  // Every request, in this order (contract section 3). No route is reached but through all of it.
  const lockedOut = refuseLockedOut(lockOut);
  const refuse = refuseCredentials(parts);
  const pipeline: readonly Step[] = [
    checkHost(log),
    lockedOut,
    answerPreflight((scope) => headersFor(scope, "text/plain")),
    authenticate(parts, refuse),
  ];
  const counts = new Map<string, Count>();
  const route = (path: string, methods: Methods) => {
    const count = requests.of(routeName(path));
    counts.set(path, count);
    app.all(path, counted(count, byMethod(path, methods)));
  };
  const outcomes = parts.webhookOutcomes;
  const door = new WebhookDoor({
    webhooks,
    authenticator,
    lockedOut,
    refuse,
    clock,
    log,
    outcomes,
  });

  // Who may call what: auth/permissions.ts.
  // The workspace's page for each of its views, and its files: there is nothing in them.
  const shell = workspaceShell(parts.workspace);
  for (const path of SHELL_PATHS) route(path, { GET: shell });
  const file = workspaceFile(parts.workspace);
  for (const path of FILE_PATHS) route(path, { GET: file });
  route("/health", { GET: health });
  route("/api/status", { GET: status(parts.status) });
  route("/api/browsers", browsers(parts));
  route("/api/browsers/:id", browser(parts));
  route("/api/files", { GET: listFiles(files) });
  const vaultPath = { GET: readFile(files), PUT: writeFile(files), DELETE: deleteFile(files) };
  // Any character: a file's name may hold a newline. With a pattern that matched nothing, too, Hono would fall back to
  // its slow router; `tests/http/routes.test.ts` holds it to the fast one.
  route("/api/files/:path{[\\s\\S]+}", vaultPath);
  // The root itself.
  route("/api/files/", vaultPath);
  route("/api/move", { POST: moveFile(files) });
  route("/api/search", { GET: searchVault(files) });
  route("/api/sessions", { GET: listSessions(sessions) });
  route("/api/sessions/:name", { PUT: putSession(sessions), DELETE: endSession(sessions) });
  route("/api/sessions/:name/messages", { GET: messages(sessions) });
  route("/api/webhook", { POST: webhookRoute(door) });
  route("/api/webhook/:source", { POST: webhookSourceRoute(door) });
  route("/api/lockouts", { GET: listLockouts(lockOut) });
  route("/api/lockouts/:address", { DELETE: liftLockout(lockOut, log) });
  route("/api/metrics", { GET: metrics(parts.metrics) });
  route("/attach", { GET: attachRoute(parts) });

  const countOther = requests.of("other");
  app.notFound(counted(countOther, (c) => problem(c.env, "not_found")));
  /** Under the route that it would have come to. */
  const countRefusal = ({ request, path }: RequestScope, code: number) => {
    const [matched] = app.router.match(request.method, path);
    (counts.get(matched[0]?.[0][1].path ?? "") ?? countOther)(code);
  };
  const answerTo = (error: Error, scope: RequestScope): Response => {
    if (error instanceof Refusal) return problem(scope, error.code, error.message, error.headers);
    if (error instanceof VaultError) return problem(scope, error.code, error.message);
    // Nobody reads the answer any more, and nothing went wrong here.
    if (scope.request.signal.aborted) return problem(scope, "bad_request");
    log.error("request_failed", {
      route: scope.route,
      request: scope.id,
      reason: error.stack ?? String(error),
    });
    return problem(scope, "internal_error");
  };
  app.onError((error, c) => {
    const answer = answerTo(error, c.env);
    c.env.count?.(answer.status);
    return answer;
  });

  // In front of the routes and not among them: a flood is refused without a context being made for each of its requests,
  // which is a sixth of what such an answer costs.
  const routed = app.fetch;
  app.fetch = function inOrder(request, bound) {
    const scope = bound as RequestScope;
    try {
      for (const step of pipeline) {
        const refusal = step(scope);
        if (refusal === undefined) continue;
        countRefusal(scope, refusal.status);
        return refusal;
      }
    } catch (error) {
      return answerTo(error as Error, scope);
    }
    return routed(request, scope);
  };
  return app;
}

type Count = (code: number) => void;

/** Counts the answers; the upgrade of a socket, whose answer Bun gives, is its 101. */
function counted(count: Count, handler: Handler): Handler {
  return function counting(c) {
    // For what is thrown.
    c.env.count = count;
    const answer = handler(c);
    if (answer instanceof Promise) {
      return answer.then((late) => {
        count(late.status);
        return late;
      });
    }
    count(c.env.isUpgraded ? 101 : answer.status);
    return answer;
  };
}

/** Picks the method's handler; HEAD is GET without the body. Any other is 405 with `Allow` (RFC 9110 section 15.5.6). */
function byMethod(path: string, methods: Methods): Handler {
  const table = new Map(
    Object.entries(methods).map(([method, handler]) => [method, authorized(method, path, handler)]),
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
