/** A program: the least that a compiled server can be. It says where it listens, as Nest does. */
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch: () => new Response('{"status":"ok"}'),
});
console.log(`listening ${server.url.origin} `);
