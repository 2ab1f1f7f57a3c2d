/** A proxy that serves a Nest below a path, which it takes off, sockets included: what an owner puts before it. */
export class BasePathProxy implements AsyncDisposable {
  readonly #server: Bun.Server<{ upstream: WebSocket; early: string[] }>;
  readonly url: string;

  /** @param base - `/nest`, without a slash at the end */
  constructor(target: string, base: string) {
    this.#server = Bun.serve<{ upstream: WebSocket; early: string[] }>({
      hostname: "127.0.0.1",
      port: 0,
      async fetch(request, server) {
        const { pathname, search } = new URL(request.url);
        if (!pathname.startsWith(`${base}/`)) return new Response("elsewhere", { status: 404 });
        const path = pathname.slice(base.length) + search;
        if (request.headers.get("upgrade") !== "websocket") {
          return fetch(target + path, {
            method: request.method,
            headers: request.headers,
            body: request.body,
            redirect: "manual",
            decompress: false,
          } as RequestInit);
        }
        const headers = {
          Host: request.headers.get("host") ?? "",
          Origin: request.headers.get("origin") ?? "",
        };
        // Bun's own addition, unknown to the DOM's types.
        const upstream = new WebSocket(target.replace("http", "ws") + path, { headers } as never);
        return server.upgrade(request, { data: { upstream, early: [] } })
          ? undefined
          : new Response(null, { status: 400 });
      },
      websocket: {
        open(socket) {
          const { upstream, early } = socket.data;
          upstream.onopen = () => {
            for (const frame of early.splice(0)) upstream.send(frame);
          };
          upstream.onmessage = ({ data }) => void socket.send(String(data));
          upstream.onclose = ({ code }) => socket.close(code === 1006 ? 1011 : code);
        },
        message(socket, frame) {
          const { upstream, early } = socket.data;
          if (upstream.readyState === WebSocket.OPEN) upstream.send(String(frame));
          else early.push(String(frame));
        },
        close: (socket) => socket.data.upstream.close(),
      },
    });
    this.url = this.#server.url.origin + base;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.stop(true);
  }
}
