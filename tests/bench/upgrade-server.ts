import { serve } from "bun";

/** A program: takes every upgrade and answers the first frame with its argument. */

const answer = process.argv[2] ?? "";

const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  fetch: (request, bun) => (bun.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    perMessageDeflate: false,
    message: (socket) => {
      socket.send(answer);
    },
  },
});
console.log(`listening ${server.url.origin} `);
