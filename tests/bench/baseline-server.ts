import { Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { BaselineTask } from "./baseline.ts";

/** A program: one bare server that gives one answer, written the way its documentation shows. */

const task = JSON.parse(process.argv[2] ?? "") as BaselineTask;
const { body, headers } = task.answer;
const status = task.answer.status as ContentfulStatusCode;

function handler(): (request: Request) => Response | Promise<Response> {
  const app = new Hono();
  switch (task.baseline) {
    case "Bun.serve":
      return () => new Response(body, { status, headers });
    case "Hono c.body":
      app.get(task.path, (c) => c.body(body, status, headers));
      return (request) => app.fetch(request);
    case "Hono Response":
      app.get(task.path, () => new Response(body, { status, headers }));
      return (request) => app.fetch(request);
  }
}

const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  fetch: handler(),
});
console.log(`listening ${server.url.origin}`);
