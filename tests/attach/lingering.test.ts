import { readdirSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect, test, setDefaultTimeout } from "bun:test";
import { TOKEN } from "../support/gateway.ts";
import { bareEnv, NestProcess } from "../support/nest-process.ts";
import { wsFrame, wsHandshake } from "../support/raw-http.ts";
import { tempDir } from "../support/temp-dir.ts";

/** Processes take their time on a busy machine. Bun has no setting for all files. */
setDefaultTimeout(60_000);

/**
 * Bun keeps a socket that was closed for some 15 s if the peer does not close it too, and with it the up to 1 MiB of a
 * message that has come in part. So 256 places were no bound: whoever was sent away for the next stayed in memory, and
 * 704 sockets took 730 MB.
 */
test("sockets sent away before they authenticate are not kept, though they never hang up", async () => {
  using dir = tempDir();
  writeFileSync(
    join(dir.path, "config.yaml"),
    `server: { port: 0, token: ${TOKEN}, trustedProxies: [127.0.0.1] }\n`,
  );
  await using nest = new NestProcess(["--demo"], { cwd: dir.path, env: bareEnv(dir.path) });
  const { host, hostname, port } = new URL(await nest.url());
  const held = () => readdirSync(`/proc/${nest.pid}/fd`).length;
  const before = held();
  const sockets: Socket[] = [];
  const wait = async (address: string) => {
    const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
    sockets.push(socket);
    socket.on("error", () => {});
    const answered = new Promise<string>((resolve) =>
      socket.once("data", (head) => resolve(String(head))),
    );
    socket.write(wsHandshake(host, { headers: `X-Forwarded-For: ${address}\r\n` }));
    expect(await answered).toStartWith("HTTP/1.1 101");
    socket.write(wsFrame("x".repeat(1000), { fin: false }));
  };
  try {
    for (let n = 0; n < 500; n++) await wait(`198.51.100.${n % 50}`);
    // 256 that wait, 64 that are let say goodbye, and what the HTTP requests took.
    expect(held() - before).toBeLessThan(256 + 64 + 20);
  } finally {
    for (const socket of sockets) socket.destroy();
  }
});
