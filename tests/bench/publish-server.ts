import { serve, spawn } from "bun";

/**
 * A program, the least that could be between pi and many sockets: every line of the agent's stdout is published to all,
 * every frame becomes a line of its stdin, unread. Its arguments are the agent's command line.
 */

const agent = spawn(process.argv.slice(2), { stdin: "pipe", stdout: "pipe" });

const server = serve({
  hostname: "127.0.0.1",
  port: 0,
  development: false,
  fetch: (request, bun) => (bun.upgrade(request) ? undefined : new Response(null, { status: 426 })),
  websocket: {
    perMessageDeflate: false,
    backpressureLimit: 64 * 1024 * 1024,
    open: (socket) => void socket.subscribe("all"),
    message: (_, frame) => {
      agent.stdin.write(`${String(frame)}\n`);
      void agent.stdin.flush();
    },
  },
});
console.log(`listening ${server.url.origin} `);

process.on("SIGTERM", () => {
  agent.kill();
  process.exit(0);
});

let rest = Buffer.alloc(0);
for await (const chunk of agent.stdout) {
  let start = 0;
  const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
  for (let end = bytes.indexOf(10); end !== -1; end = bytes.indexOf(10, start)) {
    server.publish("all", bytes.toString("utf8", start, end));
    start = end + 1;
  }
  rest = bytes.subarray(start);
}
