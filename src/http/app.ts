import { Hono, type MiddlewareHandler } from "hono";
import type { Attach } from "../attach/attach.ts";
import type { Authenticator } from "../auth/authenticator.ts";
import type { LockOut } from "../limit/lock-out.ts";
import type { Log } from "../log/log.ts";
import { answerPreflight } from "./cors.ts";
import type { NestContext, NestEnv, Step } from "./env.ts";
import { headersFor } from "./headers.ts";
import { authenticate } from "./middleware/authenticate.ts";
import { checkHost, routeOf } from "./middleware/host.ts";
import { refuseLockedOut } from "./middleware/lock-out.ts";
import { problem } from "./problem.ts";
import { attachRoute } from "./routes/attach.ts";
import { health } from "./routes/health.ts";
import { home } from "./routes/home.ts";
import { type Status, status } from "./routes/status.ts";

export interface AppParts {
  readonly authenticator: Authenticator;
  readonly lockOut: LockOut;
  readonly attach: Attach;
  readonly hasSession: (name: string) => boolean;
  readonly status: () => Status;
  readonly log: Log;
}

/** The whole gateway as one fetch handler. Its bindings are the {@link RequestScope} of each request. */
export function createApp(parts: AppParts): Hono<NestEnv> {
  const { log, lockOut } = parts;
  const app = new Hono<NestEnv>();

  // Every request, in this order (contract section 3). Nothing below is reached but through all of it.
  app.use(
    inOrder(
      checkHost(log),
      refuseLockedOut(lockOut),
      answerPreflight((c) => headersFor(c, "text/plain")),
      authenticate(parts),
    ),
  );

  resource(app, "/", { GET: home });
  resource(app, "/health", { GET: health });
  resource(app, "/api/status", { GET: status(parts.status) });
  resource(app, "/attach", { GET: attachRoute(parts) });

  app.notFound((c) => problem(c, "not_found"));
  app.onError((error, c) => {
    log.error("request_failed", {
      route: routeOf(c),
      request: c.env.id,
      reason: error.stack ?? String(error),
    });
    return problem(c, "internal_error");
  });
  return app;
}

/** One middleware of several steps: a promise per step would cost more than the steps do. */
function inOrder(...steps: readonly Step[]): MiddlewareHandler<NestEnv> {
  return function pipeline(c, next) {
    for (const step of steps) {
      const answer = step(c);
      // Hono takes a response as well as a promise of one, though its types say otherwise.
      if (answer !== undefined) return answer as unknown as Promise<Response>;
    }
    return next();
  };
}

type Handler = (c: NestContext) => Response | Promise<Response>;

/** Registers a path's methods; any other is answered 405 with `Allow` (RFC 9110 section 15.5.6). */
function resource(
  app: Hono<NestEnv>,
  path: string,
  handlers: Readonly<Record<string, Handler>>,
): void {
  for (const [method, handler] of Object.entries(handlers)) app.on(method, path, handler);
  // Hono answers HEAD with what GET answers, without the body.
  const allow = Object.keys(handlers).flatMap((method) =>
    method === "GET" ? ["GET", "HEAD"] : [method],
  );
  app.all(path, (c) => problem(c, "method_not_allowed", undefined, { Allow: allow.join(", ") }));
}
