import type { Attach } from "../attach/attach.ts";
import type { Config } from "../config/config.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";

type ListenOptions = Omit<
  Bun.Serve.Options<Attach["handlers"] extends Bun.WebSocketHandler<infer Data> ? Data : never>,
  "hostname" | "port"
>;

/** @throws {Exit} in one line, if the address can't be listened on */
export function listen({ server: { host, port } }: Config, options: ListenOptions) {
  try {
    return Bun.serve({ ...options, hostname: host, port } as Parameters<typeof Bun.serve>[0]);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const place = `${host.includes(":") ? `[${host}]` : host}:${port}`;
    const reason =
      code === "EADDRINUSE"
        ? "the port is in use. Stop what uses it (another Nest?) or set server.port"
        : code === "EACCES"
          ? "not allowed. Ports under 1024 need privileges; set server.port"
          : `${code ?? (error as Error).message}. Set server.host to an address of this machine`;
    throw new Exit(EXIT_USAGE, `Cannot listen on ${place}: ${reason}`);
  }
}
