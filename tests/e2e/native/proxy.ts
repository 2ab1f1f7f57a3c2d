import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { tempDir } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";
import { must, run } from "../container/run.ts";

const NATIVE = resolve(import.meta.dir, "..", "..", "..", "native");
export const NAME = "nest.example.org";

export interface Proxy {
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

export const PROXIES: readonly Proxy[] = [
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

/** The container's Caddy, which otherwise gets a certificate of its own. */
export const CONTAINER: Proxy = {
  name: "the container's Caddy",
  program: "caddy",
  otherHost: "421",
  prepare(dir, { http, https, nest }) {
    writeFileSync(
      join(dir, "Caddyfile"),
      snippet("../container/Caddyfile", [
        [
          "admin off",
          `admin off\n\thttp_port ${http}\n\thttps_port ${https}\n\tdefault_bind 127.0.0.1`,
        ],
        [":443, :80", `:${https}, :${http}`],
        ["{$NEST_DOMAIN}", NAME],
        ["{$NEST_UPSTREAM}", `127.0.0.1:${nest}`],
        ["import tls-{$NEST_TLS:public}", `tls ${dir}/cert.pem ${dir}/key.pem`],
      ]),
    );
    return ["caddy", "run", "--config", join(dir, "Caddyfile"), "--adapter", "caddyfile"];
  },
};

/** Ports that are free now. */
function freePorts(): { http: number; https: number } {
  const held = [0, 0].map(() =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } }),
  );
  const [http = 0, https = 0] = held.map(({ port }) => port);
  for (const server of held) server.stop(true);
  return { http, https };
}

/** Starts a proxy in front of the port, with a curl that knows its certificate; everything ends with it. */
export async function startProxy(prepare: Proxy["prepare"], nest: number) {
  const dir = tempDir();
  mkdirSync(join(dir.path, "home"));
  const caFile = join(dir.path, "cert.pem");
  const certificate = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=${NAME} -addext subjectAltName=DNS:${NAME}`;
  await must([
    "openssl",
    ...certificate.split(" "),
    "-keyout",
    join(dir.path, "key.pem"),
    "-out",
    caFile,
  ]);
  const ports = { ...freePorts(), nest };
  const proxy = Bun.spawn([...prepare(dir.path, ports)], {
    env: { PATH: `/usr/sbin:/usr/bin:${process.env["PATH"]}`, HOME: join(dir.path, "home") },
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(join(dir.path, "proxy.log")),
    timeout: 120_000,
    killSignal: "SIGKILL",
  });
  const resolveTo = (port: number) => ["--resolve", `${NAME}:${port}:127.0.0.1`];
  const common = ["curl", "-s", "--max-time", "20", "--cacert", caFile];
  const curlArgv = (...args: string[]) => [
    ...common,
    ...resolveTo(ports.https),
    ...resolveTo(ports.http),
    ...args,
  ];
  const curl = async (...args: string[]) =>
    (await run(curlArgv(...args), { timeoutMs: 30_000 })).stdout;
  const status = (...args: string[]) => curl("-o", "/dev/null", "-w", "%{http_code}", ...args);
  const url = `https://${NAME}:${ports.https}`;
  const dispose = async () => {
    proxy.kill("SIGKILL");
    await proxy.exited;
    dir[Symbol.dispose]();
  };
  try {
    await until("the proxy serves", async () => {
      if (proxy.exitCode !== null)
        throw new Error(readFileSync(join(dir.path, "proxy.log"), "utf8"));
      return (await status(`${url}/health`)) === "200";
    });
  } catch (error) {
    await dispose();
    throw error;
  }
  return { url, ports, caFile, curl, curlArgv, status, [Symbol.asyncDispose]: dispose };
}
