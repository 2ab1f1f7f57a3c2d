import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TOKEN, testGateway } from "../../support/gateway.ts";
import { bareEnv, nest } from "../../support/nest-process.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";
import { missing, must, tellSkipped } from "../container/run.ts";
import { CONTAINER, NAME, PROXIES, startProxy } from "./proxy.ts";

const needs = missing("nginx", "caddy", "openssl", "curl");
tellSkipped("nginx and Caddy in front of a native Nest", needs);

const bearer = (token: string) => ["-H", `Authorization: Bearer ${token}`];

describe.skipIf(needs !== "").each(PROXIES.slice())(
  "Nest behind $name, as the shipped snippet says",
  ({ prepare, otherHost }) => {
    test("TLS, the client's own address, a socket that works, and no other name", async () => {
      await using gateway = testGateway({
        config: { server: { trustedProxies: ["127.0.0.1"], hosts: [NAME] } },
      });
      await using proxy = await startProxy(prepare, gateway.port);
      const { url, ports, caFile, curl, status } = proxy;
      const head = await curl("-i", `${url}/health`);
      expect(head).toMatch(/^strict-transport-security: max-age=31536000/im);
      expect(head).not.toMatch(/^server: .*\d/im);
      expect(await status("-H", "Host: evil.test", `${url}/health`)).toBe(otherHost);

      // A socket through TLS, with a whole turn.
      const socket = new WebSocket(`wss://127.0.0.1:${ports.https}/attach`, {
        headers: { Host: NAME, Authorization: `Bearer ${TOKEN}` },
        tls: { ca: readFileSync(caFile, "utf8"), serverName: NAME },
      } as unknown as string[]);
      let received = "";
      socket.addEventListener("message", ({ data }) => (received += data));
      await until("attached", () => received.includes('"attached"'));
      socket.send(JSON.stringify({ type: "prompt", message: "@say through the proxy" }));
      await until("the turn is over", () => received.includes("agent_settled"));
      expect(received).toContain("through the proxy");
      socket.close();

      // Whoever guesses is locked out by the address that the proxy saw, whatever headers say.
      const names = ["X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"];
      for (let i = 0; i < 11; i++) {
        const forged = ["-H", `${names[i % names.length]}: 127.0.0.3`];
        const guess = ["--interface", "127.0.0.2", ...forged, ...bearer("wrong")];
        expect(await status(...guess, `${url}/api/status`)).toBe(i < 10 ? "401" : "429");
      }
      const neighbour = ["--interface", "127.0.0.3", ...bearer(TOKEN)];
      expect(await status(...neighbour, `${url}/api/status`)).toBe("200");
      expect(gateway.logged("lockout_start").map(({ address }) => address)).toEqual(["127.0.0.2"]);
    }, 60_000);
  },
);

describe.skipIf(needs !== "").each([...PROXIES, CONTAINER])(
  "nest audit through $name",
  ({ name, prepare }) => {
    test("finds nothing to say about Nest, and sees what the proxy does", async () => {
      await using gateway = testGateway({
        config: { server: { trustedProxies: ["127.0.0.1"], hosts: [NAME] } },
      });
      await using proxy = await startProxy(prepare, gateway.port);
      const audit = (url: string, ...args: string[]) =>
        nest(
          [
            "audit",
            url,
            "--json",
            "--connect",
            "127.0.0.1",
            "--config",
            join(gateway.dir, "config.yaml"),
            ...args,
          ],
          {
            cwd: gateway.dir,
            env: bareEnv(gateway.dir, { NEST_TOKEN: TOKEN, NODE_EXTRA_CA_CERTS: proxy.caFile }),
          },
        );
      // Only the container's Caddy is told how long it may wait for a request; others have a minute, or no limit.
      const slow = name === CONTAINER.name ? [] : ["--skip", "slow"];
      const { stdout, stderr } = await audit(proxy.url, "--only", "live,tls", ...slow);
      expect(stderr).toBe("");
      const { checks } = JSON.parse(stdout) as {
        checks: { id: string; outcome: string; details: string[] }[];
      };
      const not = checks.filter(({ outcome }) => outcome !== "held");
      // nginx passes the name on without its port, which only matters where it is not the usual one, as here.
      const port =
        "origin.attach: a socket for Nest's own page: 403, expected 101 (does the proxy set X-Forwarded-Proto?)";
      expect(not.map(({ id, details }) => `${id}: ${details.join("; ")}`)).toEqual([
        "request.smuggling: the proxy decides where requests end: run it against Nest itself",
        ...(name === "nginx" ? [port] : []),
        "tls.redirect: only for https on its usual port",
      ]);
    }, 90_000);
  },
);

/** What stands in Nest's place, to see what a proxy lets through. */
function echo() {
  let go: (() => void) | undefined;
  const seen = { largest: 0 };
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    maxRequestBodySize: 1024 ** 3,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/go") go?.();
      if (pathname === "/stream") {
        const waiting = new Promise<void>((resolve) => (go = resolve));
        const body = new ReadableStream<Uint8Array>({
          async start(controller) {
            controller.enqueue(Buffer.from("first "));
            await waiting;
            controller.enqueue(Buffer.from("second"));
            controller.close();
          },
        });
        return new Response(body);
      }
      let bytes = 0;
      for await (const chunk of request.body ?? []) {
        bytes += chunk.byteLength;
        seen.largest = Math.max(seen.largest, bytes);
      }
      return Response.json({ ...Object.fromEntries(request.headers), bytes });
    },
  });
  return {
    port: server.port ?? 0,
    get largest() {
      return seen.largest;
    },
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** Forwarding headers that a client might invent. */
const FORGED = [
  "X-Forwarded-For: 6.6.6.6",
  "X-Forwarded-Proto: gopher",
  "X-Forwarded-Host: evil.test",
  "X-Forwarded-Port: 6",
  "X-Real-IP: 6.6.6.6",
  "Forwarded: for=6.6.6.6",
  "True-Client-IP: 6.6.6.6",
  "CF-Connecting-IP: 6.6.6.6",
  // Named as hop-by-hop, so that a proxy might take its own away (RFC 9110 section 7.6.1).
  "Connection: close, X-Forwarded-For",
];

describe.skipIf(needs !== "").each([...PROXIES, CONTAINER])(
  "what $name lets through",
  ({ prepare }) => {
    test("of forwarding headers only its own; answers as they come; bodies as large as the vault takes", async () => {
      using server = echo();
      await using proxy = await startProxy(prepare, server.port);
      const { url, curl, curlArgv, status } = proxy;
      const seen = JSON.parse(
        await curl(...FORGED.flatMap((header) => ["-H", header]), `${url}/`),
      ) as Record<string, unknown>;
      expect(seen["x-forwarded-for"]).toBe("127.0.0.1");
      expect(seen["x-forwarded-proto"]).toBe("https");
      expect(String(seen["x-forwarded-host"])).toStartWith(NAME);
      expect(JSON.stringify(seen)).not.toMatch(/6\.6\.6\.6|evil|gopher/);
      const others = /^forwarded$|-ip$|forwarded-port/;
      expect(Object.keys(seen).filter((name) => others.test(name))).toEqual([]);

      // The second half is sent when the first has arrived: a proxy that collects answers never gets there.
      const stream = Bun.spawn(curlArgv("-N", `${url}/stream`), {
        stdout: "pipe",
        timeout: 20_000,
      });
      let got = "";
      for await (const chunk of stream.stdout) {
        got += new TextDecoder().decode(chunk);
        if (got === "first ") await curl(`${url}/go`);
      }
      expect(got).toBe("first second");

      using dir = tempDir();
      const body = join(dir.path, "body");
      await must(["truncate", "-s", "100M", body]);
      expect(JSON.parse(await curl("-T", body, `${url}/x`))).toMatchObject({ bytes: 104_857_600 });
      await must(["truncate", "-s", "120M", body]);
      // Caddy passes a body on as it comes, so it can only cut it off (000) where it knows no length beforehand.
      expect(await status("-T", body, `${url}/x`)).toMatch(/^(?:413|502|000)$/);
      expect(server.largest).toBeLessThan(111_000_000);
    }, 90_000);
  },
);
