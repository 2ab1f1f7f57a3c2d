import { accessSync, constants, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { type Check, Skipped } from "./check.ts";
import { isLoopbackHost, openness } from "./config-checks.ts";
import { RawConnection } from "./raw-connection.ts";
import { configOf, targetOf, type World } from "./world.ts";

/** What must be left of a certificate's life: they are renewed with a third of it to go, be it 90 days, six, or 12 hours. */
const LEAST_LEFT = 0.15;
const CONNECT_MS = 5000;
/** First Bun without the flaw in its decoder of brotli. */
const LEAST_BUN = [1, 4, 4] as const;

export const SURROUNDINGS_CHECKS: readonly Check[] = [
  {
    id: "tls.encrypted",
    group: "surroundings",
    title: "the token goes over no network in the clear",
    threat: "listening in between client and Nest",
    severity: "critical",
    impact: "the token, and so a shell",
    mitigation: "Nest listens on loopback; a proxy with TLS stands in front",
    attack: "the URL is looked at: https, or this machine",
    cases: ["CWE-319"],
    fix: "put Caddy or another proxy with TLS in front: docs/deployment.md",
    test: "tests/audit/surroundings.test.ts",
    needs: ["server"],
    run(world) {
      const { url } = targetOf(world);
      return url.protocol === "https:" || isLoopbackHost(url.hostname)
        ? []
        : [`${url.origin} is neither encrypted nor this machine`];
    },
  },
  {
    id: "tls.certificate",
    group: "surroundings",
    title: "the certificate is good, and not about to end",
    threat:
      "standing in between with a certificate of one's own, which users have learnt to accept",
    severity: "high",
    impact: "the token, and so a shell",
    mitigation: "Caddy fetches and renews certificates by itself",
    attack: "a handshake that checks the chain, the name and the dates",
    cases: ["CWE-295", "CWE-298"],
    fix: "look at the proxy's log; for an authority of your own, have this machine trust it (NODE_EXTRA_CA_CERTS)",
    test: "tests/audit/surroundings.test.ts",
    needs: ["server"],
    async run(world) {
      const { error, left, until } = await handshake(world);
      if (error !== "") return [`the certificate is not good: ${error}`];
      return left < LEAST_LEFT ? [`the certificate ends soon, and was not renewed: ${until}`] : [];
    },
  },
  {
    id: "tls.version",
    group: "surroundings",
    title: "old versions of TLS are refused",
    threat: "talking both ends down to a version that can be broken",
    severity: "medium",
    impact: "the token, and so a shell",
    mitigation: "Caddy and current proxies speak TLS 1.2 and 1.3 only",
    attack: "a handshake that offers TLS 1.1 at most",
    cases: ["CWE-326", "CWE-757"],
    fix: "set the proxy's least version to TLS 1.2",
    test: "tests/audit/surroundings.test.ts",
    needs: ["server"],
    async run(world) {
      const { error } = await handshake(world, { minVersion: "TLSv1", maxVersion: "TLSv1.1" });
      return error === "" ? ["a handshake with TLS 1.1 was taken"] : [];
    },
  },
  {
    id: "tls.redirect",
    group: "surroundings",
    title: "plain HTTP only points to https",
    threat: "a first visit without https, changed on its way",
    severity: "medium",
    impact: "a workspace of the attacker's, and the token typed into it",
    mitigation: "the proxy answers plain HTTP with a redirect and nothing else",
    attack: "`/` and `/api/status` over plain HTTP on port 80",
    cases: ["CWE-319"],
    fix: "have the proxy redirect port 80, or close it",
    test: "tests/e2e/container/container.test.ts",
    needs: ["server"],
    async run(world) {
      const { url, endpoint } = targetOf(world);
      if (url.protocol !== "https:" || endpoint.port !== 443)
        throw new Skipped("only for https on its usual port");
      const plain = { host: endpoint.host, port: 80, isTls: false };
      using connection = new RawConnection(plain, world.clock);
      connection.write(
        `GET /api/status HTTP/1.1\r\nHost: ${url.hostname}\r\nConnection: close\r\n\r\n`,
      );
      const head = await connection.until(
        ({ received }) =>
          received.toString("latin1").match(/^HTTP\/1\.1 (\d{3})[\s\S]*\r\n\r\n/) ?? undefined,
        CONNECT_MS,
      );
      if (head === undefined) return [];
      const isRedirect = /^30[1278]$/.test(head[1] ?? "") && /\r\nlocation: https:/i.test(head[0]);
      return isRedirect
        ? []
        : [`plain HTTP is answered with ${head[1]}, expected a redirect to https`];
    },
  },
  {
    id: "version.runtime",
    group: "surroundings",
    title: "the runtime has no known hole that reaches Nest",
    threat: "a published flaw in an old Bun",
    severity: "high",
    impact: "memory of Nest, or code in it",
    mitigation: "Bun 1.4.5 is pinned by package.json, the image and the executable",
    attack: "the version of the Bun that runs this",
    cases: ["CVE-2026-111497", "GHSA-663w-cv8g-jj2p"],
    fix: "bun upgrade, or a new image or executable",
    test: "tests/audit/surroundings.test.ts",
    needs: [],
    run() {
      return isOld(Bun.version)
        ? [`Bun ${Bun.version}, expected ${LEAST_BUN.join(".")} or newer`]
        : [];
    },
  },
  {
    id: "version.server",
    group: "surroundings",
    title: "the server is as new as this program",
    threat: "a flaw that was mended here and not there",
    severity: "medium",
    impact: "whatever the flaw gives",
    mitigation: "the changelog names security fixes; only the newest version is supported",
    attack: "`/api/status` is asked for the version",
    cases: ["CWE-1104"],
    fix: "update the server: docs/deployment.md",
    test: "tests/audit/surroundings.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const answer = await targetOf(world).owner().request({ path: "/api/status" });
      const version = /"version":"([^"]{1,40})"/.exec(answer.body)?.[1];
      if (version === undefined) throw new Skipped(`/api/status answered ${answer.status}`);
      return version === world.version
        ? []
        : [`the server is ${version}, this is ${world.version}`];
    },
  },
  {
    id: "machine.user",
    group: "surroundings",
    title: "Nest does not run as root",
    threat: "an agent that is talked into something",
    severity: "high",
    impact: "the whole machine, not one user's files",
    mitigation:
      "the container and the systemd unit run Nest as a user of its own, without privileges",
    attack: "user, privileges and `no_new_privs` of the running process, from /proc",
    cases: ["CWE-250", "CVE-2022-24769"],
    fix: "run Nest under a user of its own: native/nest.service",
    test: "tests/e2e/native/systemd.test.ts",
    needs: ["config"],
    run(world) {
      const pid = pidOf(world);
      if (pid === undefined) throw new Skipped("no Nest runs with this config on this machine");
      const status = readFileSync(`/proc/${pid}/status`, "latin1");
      const field = (name: string) =>
        new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";
      const fell: string[] = [];
      if (field("Uid") === "0") fell.push(`process ${pid} runs as root`);
      else if (!/^0+$/.test(field("CapEff"))) fell.push(`process ${pid} has capabilities`);
      const isService = /\.service/.test(readFileSync(`/proc/${pid}/cgroup`, "latin1"));
      const isUnit =
        isService &&
        !/user@|user\.slice|session-/.test(readFileSync(`/proc/${pid}/cgroup`, "latin1"));
      if (isUnit && field("NoNewPrivs") !== "1")
        fell.push("the systemd unit lacks NoNewPrivileges=yes");
      return fell;
    },
  },
  {
    id: "machine.code",
    group: "surroundings",
    title: "nobody else can change Nest's code",
    threat: "another user of this machine writes to the folder that Nest runs from",
    severity: "high",
    impact: "code in Nest at its next start",
    mitigation:
      "the image has the code as root's, on a read-only file system; natively /opt/nest is root's",
    attack: "owner and mode of the code's folder and of what it starts with",
    cases: ["CVE-2026-41349", "CWE-732"],
    fix: "chown -R root /opt/nest && chmod -R go-w /opt/nest",
    test: "tests/audit/surroundings.test.ts",
    needs: [],
    run({ codeFolder }) {
      // The executable is all there is of it.
      if (!existsSync(codeFolder)) return openness(process.execPath, "write");
      return ["", "src", "src/main.ts", "package.json", "bunfig.toml"].flatMap((name) =>
        openness(join(codeFolder, name), "write"),
      );
    },
  },
  {
    id: "container.privileges",
    group: "surroundings",
    title: "in the container nothing has a privilege, and nothing gets one",
    threat: "the agent takes the wall around it down",
    severity: "critical",
    impact: "the LAN, the host's services, a cloud's metadata",
    mitigation:
      "no capability in any set, no_new_privs, a user that is not root; Nest refuses to start otherwise",
    attack: "/proc/self/status of this process, which went the same way as Nest",
    cases: ["CVE-2022-24769", "CVE-2022-27649", "CWE-250"],
    fix: "use compose.yaml as it is, with its cap_drop, cap_add and security_opt",
    test: "tests/e2e/container/entrypoint.test.ts",
    needs: [],
    run(world) {
      return inContainer(world).privileges;
    },
  },
  {
    id: "container.read-only",
    group: "surroundings",
    title: "in the container Nest's code and config can't be changed",
    threat: "the agent rewrites what Nest runs at its next start",
    severity: "critical",
    impact: "code in Nest, past the wall",
    mitigation: "a read-only root, root's files, and /config closed to the agent",
    attack: "whether this process may write there",
    cases: ["CVE-2026-41349", "CVE-2026-45001"],
    fix: "use compose.yaml as it is (read_only), and chown root the config folder",
    test: "tests/e2e/container/entrypoint.test.ts",
    needs: [],
    run(world) {
      const { codeFolder, config } = inContainer(world);
      const paths = [codeFolder, join(codeFolder, "src/main.ts"), "/etc/passwd"];
      if (config !== undefined) paths.push(config.path);
      return paths.filter((path) => isWritable(path)).map((path) => `${path} can be changed`);
    },
  },
  {
    id: "container.ipv6",
    group: "surroundings",
    title: "in the container there is no IPv6 round the wall",
    threat: "reaching by IPv6 what IPv4 refuses",
    severity: "high",
    impact: "the LAN and the host",
    mitigation: "off by sysctl and refused by ip6tables, each checked at the start",
    attack: "the sysctl of each interface is read",
    cases: ["CWE-693"],
    fix: "use compose.yaml as it is (sysctls)",
    test: "tests/e2e/container/entrypoint.test.ts",
    needs: [],
    run(world) {
      inContainer(world);
      return ["all", "default"].flatMap((name) => {
        const value = readText(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`);
        return value === undefined || value.trim() === "1" ? [] : [`IPv6 is on (${name})`];
      });
    },
  },
  {
    id: "container.egress",
    group: "surroundings",
    title: "in the container the wall stands",
    threat: "the agent reaches the host, the LAN or a cloud's metadata",
    severity: "critical",
    impact: "credentials of the machine, services that trust their network",
    mitigation: "netfilter rules by address, asked back from the kernel at each start",
    attack: "connections to the metadata address and to the container's gateway; none may be made",
    cases: ["CVE-2026-45400", "CWE-918"],
    fix: "start the container through container/entrypoint.sh; look at NEST_EGRESS_ALLOW",
    test: "tests/e2e/container/container.test.ts",
    needs: [],
    async run(world) {
      inContainer(world);
      const gateway = gatewayIn(readText("/proc/net/route") ?? "");
      const goals = [
        ["169.254.169.254", 80],
        ...(gateway === undefined
          ? []
          : ([
              [gateway, 22],
              [gateway, 80],
              [gateway, 443],
            ] as const)),
      ] as const;
      const reached = await Promise.all(
        goals.map(async ([host, port]) => {
          using connection = new RawConnection({ host, port, isTls: false }, world.clock);
          connection.write("HEAD / HTTP/1.0\r\n\r\n");
          await connection.until(({ received }) => received.length > 0 || undefined, 2000);
          // Bytes are proof; a refusal by the other end (ECONNREFUSED) is what the wall's REJECT looks like, too.
          return connection.received.length > 0 ? [`${host}:${port} was reached`] : [];
        }),
      );
      return reached.flat();
    },
  },
];

interface Handshake {
  /** Empty: it was made, and the certificate is good. */
  readonly error: string;
  /** Of its life, 0 to 1. */
  readonly left: number;
  readonly until: string;
}

function handshake(
  world: World,
  versions: { minVersion?: "TLSv1"; maxVersion?: "TLSv1.1" } = {},
): Promise<Handshake> {
  const { endpoint } = targetOf(world);
  if (!endpoint.isTls) throw new Skipped("only for https");
  const isVersion = versions.maxVersion !== undefined;
  return new Promise((resolve) => {
    const socket = connectTls({
      host: endpoint.host,
      port: endpoint.port,
      ...(endpoint.serverName !== undefined && { servername: endpoint.serverName }),
      // Which version is taken says nothing about the certificate.
      rejectUnauthorized: !isVersion,
      ...versions,
    });
    const cancel = world.clock.after(CONNECT_MS, () => end("no answer"));
    const end = (error: string, left = 0, until = "") => {
      cancel();
      socket.destroy();
      resolve({ error, left, until });
    };
    socket.on("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
    socket.on("secureConnect", () => {
      const { valid_from: from, valid_to: until } = socket.getPeerCertificate();
      const lifeMs = Date.parse(until) - Date.parse(from);
      end("", (Date.parse(until) - world.clock.wallMs()) / lifeMs, until);
    });
  });
}

function inContainer(world: World): World & { privileges: readonly string[] } {
  if (world.privileges === undefined)
    throw new Skipped("not in Nest's container: docker compose exec nest nest audit");
  return world as World & { privileges: readonly string[] };
}

/** The Nest that runs with this config: it holds the lock of its folder. */
function pidOf(world: World): number | undefined {
  const lock = readText(join(configOf(world).path, "../sessions/.lock"));
  const pid = Number(/"pid":(\d+)/.exec(lock ?? "")?.[1] ?? Number.NaN);
  return readText(`/proc/${pid}/status`) === undefined ? undefined : pid;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "latin1");
  } catch {
    return undefined;
  }
}

/** The default route's, in `/proc/net/route`: hexadecimal, least byte first. */
function gatewayIn(routes: string): string | undefined {
  const hex = /^\S+\t00000000\t([0-9A-F]{8})\t/m.exec(routes)?.[1];
  if (hex === undefined) return undefined;
  return [...Uint8Array.fromHex(hex)].toReversed().join(".");
}

function isOld(version: string): boolean {
  const parts = version.split(/[.-]/).map(Number);
  for (const [i, least] of LEAST_BUN.entries()) {
    const part = parts[i] ?? 0;
    if (part !== least) return part < least;
  }
  return false;
}
