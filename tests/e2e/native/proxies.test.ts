import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { TOKEN, testGateway } from "../../support/gateway.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";
import { missing, must, run, tellSkipped } from "../container/run.ts";

const NATIVE = resolve(import.meta.dir, "..", "..", "..", "native");
const NAME = "nest.example.org";

interface Proxy {
  readonly name: string;
  readonly program: string;
  /** Writes the shipped snippet with this test's ports and certificate into the folder, and returns how to start it. */
  readonly prepare: (dir: string, ports: Ports) => readonly string[];
  /** For a name that is not served, over TLS. */
  readonly otherHost: string;
}

interface Ports {
  readonly http: number;
  readonly https: number;
  readonly nest: number;
}

const snippet = (file: string, changes: readonly [string | RegExp, string][]) => {
  let text = readFileSync(join(NATIVE, file), "utf8");
  for (const [from, to] of changes) {
    const changed = text.replaceAll(from, to);
    if (changed === text) throw new Error(`${file} has nothing like ${from}`);
    text = changed;
  }
  return text;
};

const PROXIES: readonly Proxy[] = [
  {
    name: "nginx",
    program: "nginx",
    otherHost: "421",
    prepare(dir, { http, https, nest }) {
      const server = snippet("nginx.conf", [
        ["listen 80", `listen 127.0.0.1:${http}`],
        ["listen 443", `listen 127.0.0.1:${https}`],
        [/ssl_certificate .*;/g, `ssl_certificate ${dir}/cert.pem;`],
        [/ssl_certificate_key .*;/g, `ssl_certificate_key ${dir}/key.pem;`],
        ["127.0.0.1:8484", `127.0.0.1:${nest}`],
      ]);
      const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map((name) => `${name}_temp_path ${dir}/${name};`)
        .join("\n");
      writeFileSync(
        join(dir, "nginx.conf"),
        `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
events {}
http {
access_log off; ${temporary}
${server}
}
`,
      );
      return ["nginx", "-e", join(dir, "error.log"), "-c", join(dir, "nginx.conf")];
    },
  },
  {
    name: "Caddy",
    program: "caddy",
    otherHost: "421",
    prepare(dir, { http, https, nest }) {
      writeFileSync(
        join(dir, "Caddyfile"),
        `{
	admin off
	skip_install_trust
	auto_https disable_redirects
	http_port ${http}
	https_port ${https}
	default_bind 127.0.0.1
}
${snippet("Caddyfile", [
  [/^nest\.example\.org \{$/gm, `${NAME} {\n\ttls ${dir}/cert.pem ${dir}/key.pem`],
  [":443", `:${https}`],
  ["127.0.0.1:8484", `127.0.0.1:${nest}`],
])}`,
      );
      return ["caddy", "run", "--config", join(dir, "Caddyfile"), "--adapter", "caddyfile"];
    },
  },
];

/** Ports that are free now. */
function freePorts(): { http: number; https: number } {
  const held = [0, 0].map(() =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const [http = 0, https = 0] = held.map(({ port }) => port);
  for (const server of held) server.stop(true);
  return { http, https };
}

const needs = missing("nginx", "caddy", "openssl", "curl");
tellSkipped("nginx and Caddy in front of a native Nest", needs);

describe.skipIf(needs !== "").each([...PROXIES])(
  "Nest behind $name, as the shipped snippet says",
  ({ prepare, otherHost }) => {
    test("TLS, the client's own address, a socket that works, and no other name", async () => {
      using dir = tempDir();
      mkdirSync(join(dir.path, "home"));
      await must([
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "1",
        "-subj",
        `/CN=${NAME}`,
        "-addext",
        `subjectAltName=DNS:${NAME}`,
        "-keyout",
        join(dir.path, "key.pem"),
        "-out",
        join(dir.path, "cert.pem"),
      ]);
      await using gateway = testGateway({
        config: { server: { trustedProxies: ["127.0.0.1"], hosts: [NAME] } },
      });
      const ports = { ...freePorts(), nest: gateway.port };
      const proxy = Bun.spawn([...prepare(dir.path, ports)], {
        env: { PATH: `/usr/sbin:/usr/bin:${process.env["PATH"]}`, HOME: join(dir.path, "home") },
        stdin: "ignore",
        stdout: "ignore",
        stderr: Bun.file(join(dir.path, "proxy.log")),
        timeout: 60_000,
        killSignal: "SIGKILL",
      });
      try {
        const curl = async (...args: string[]) => {
          const { stdout } = await run([
            "curl",
            "-s",
            "--max-time",
            "10",
            "--cacert",
            join(dir.path, "cert.pem"),
            "--resolve",
            `${NAME}:${ports.https}:127.0.0.1`,
            "--resolve",
            `${NAME}:${ports.http}:127.0.0.1`,
            ...args,
          ]);
          return stdout;
        };
        const url = `https://${NAME}:${ports.https}`;
        const status = (...args: string[]) =>
          curl("-o", "/dev/null", "-w", "%{http_code}", ...args);
        await until("the proxy serves", async () => {
          if (proxy.exitCode !== null)
            throw new Error(readFileSync(join(dir.path, "proxy.log"), "utf8"));
          return (await status(`${url}/health`)) === "200";
        });
        const head = await curl("-i", `${url}/health`);
        expect(head).toMatch(/^strict-transport-security: max-age=31536000/im);
        expect(head).not.toMatch(/^server: .*\d/im);
        expect(await status("-H", "Host: evil.test", `${url}/health`)).toBe(otherHost);

        // A socket through TLS, with a whole turn.
        const socket = new WebSocket(`wss://127.0.0.1:${ports.https}/attach`, {
          headers: { Host: NAME, Authorization: `Bearer ${TOKEN}` },
          tls: { ca: readFileSync(join(dir.path, "cert.pem"), "utf8"), serverName: NAME },
        } as unknown as string[]);
        let received = "";
        socket.addEventListener("message", ({ data }) => (received += data));
        await until("attached", () => received.includes('"attached"'));
        socket.send(JSON.stringify({ type: "prompt", message: "@say through the proxy" }));
        await until("the turn is over", () => received.includes("agent_settled"));
        expect(received).toContain("through the proxy");
        socket.close();

        // Whoever guesses is locked out by the address that the proxy saw, whatever headers say.
        for (let i = 0; i < 11; i++) {
          const forged = [
            "X-Forwarded-For",
            "X-Real-IP",
            "Forwarded",
            "True-Client-IP",
            "CF-Connecting-IP",
          ][i % 5];
          const answer = await status(
            "--interface",
            "127.0.0.2",
            "-H",
            `${forged}: 127.0.0.3`,
            "-H",
            "Authorization: Bearer wrong",
            `${url}/api/status`,
          );
          expect(answer).toBe(i < 10 ? "401" : "429");
        }
        expect(
          await status(
            "--interface",
            "127.0.0.3",
            "-H",
            `Authorization: Bearer ${TOKEN}`,
            `${url}/api/status`,
          ),
        ).toBe("200");
        expect(gateway.logged("lockout_start").map(({ address }) => address)).toEqual([
          "127.0.0.2",
        ]);
      } finally {
        proxy.kill("SIGKILL");
        await proxy.exited;
      }
    }, 60_000);
  },
);
