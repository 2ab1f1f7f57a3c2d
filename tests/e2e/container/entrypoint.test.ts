import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, resolve } from "node:path";
import { tempDir } from "../../support/temp-dir.ts";
import { Cell, type CellOptions } from "./cell.ts";
import type { ClientJob, ClientResult } from "./client.ts";
import {
  allOpen,
  type Attempt,
  INTERNAL,
  OWN,
  PUBLIC,
  reachArgs,
  REACH_COMMAND,
  reachFiles,
  reached,
  readReach,
} from "./reach.ts";
import { readAttacks, worked } from "./attacks.ts";
import { missing, must, run, tellSkipped } from "./run.ts";
import { type Place, World } from "./world.ts";

const needs = missing(
  "ip",
  "iptables",
  "ip6tables",
  "dnsmasq",
  "curl",
  "python3",
  "setpriv",
  "tini",
  "shellcheck",
  "rg",
);
tellSkipped("the entrypoint in network namespaces", needs);

// A busy machine is slow to start processes.
setDefaultTimeout(60_000);

const CLIENT = join(import.meta.dir, "client.ts");
const SCRIPTS = resolve(import.meta.dir, "..", "..", "..", "container");

/** Replaces text of the entrypoint in a cell; the cell does not start if it is not there. */
const mutate = (from: string, to: string) =>
  `python3 - "$root/opt/nest/container/entrypoint.sh" <<'END_OF_MUTATION'
import sys
path = sys.argv[1]
text = open(path).read()
old, new = ${JSON.stringify(from)}, ${JSON.stringify(to)}
assert old in text, old
open(path, "w").write(text.replace(old, new))
END_OF_MUTATION`;

/** Six rows at a time; all of them are run, and the failures are told together by name. */
async function inPool<T extends { readonly name: string }>(
  rows: readonly T[],
  check: (row: T) => Promise<void>,
): Promise<void> {
  const failures: string[] = [];
  const waiting = [...rows];
  const work = async () => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) {
      const { name } = row;
      await check(row).catch((error: Error) => failures.push(`${name}: ${error.message}`));
    }
  };
  await Promise.all(Array.from({ length: 6 }, work));
  expect(failures).toEqual([]);
}

describe.skipIf(needs !== "")("the entrypoint, in network namespaces without an engine", () => {
  let dir: ReturnType<typeof tempDir>;
  let world: World;
  let cells = 0;

  beforeAll(async () => {
    dir = tempDir();
    chmodSync(dir.path, 0o755);
    world = await World.start(dir.path);
  }, 60_000);
  afterAll(async () => {
    await world?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  }, 60_000);

  const cell = (options: CellOptions = {}, name = `cell${cells++}`) =>
    new Cell(world, join(dir.path, name), options);

  /** Output and code of a cell that must not start. */
  async function refused(options: CellOptions, prepare?: (dir: string) => void): Promise<string> {
    const name = `cell${cells++}`;
    mkdirSync(join(dir.path, name), { recursive: true });
    if (prepare !== undefined) prepare(join(dir.path, name));
    else if (options.env?.["NEST_PROXY"] === undefined) {
      // A second start, which is the faster one.
      mkdirSync(join(dir.path, name, "config"));
      writeFileSync(
        join(dir.path, name, "config", "config.yaml"),
        `server:\n  token: sha256:${"0".repeat(64)}\n`,
      );
    }
    await using tried = cell({ isAlone: true, ...options }, name);
    expect({ code: await tried.ended(), output: tried.output }).toMatchObject({ code: 2 });
    expect(tried.output).not.toContain("listening");
    return tried.output;
  }

  /** Lets the agent answer: prompts through a real pi, from the place. */
  async function attach(place: Place, job: ClientJob): Promise<ClientResult> {
    const { stdout, stderr } = await world.run(place, [process.execPath, CLIENT], {
      input: JSON.stringify(job),
      timeoutMs: 70_000,
    });
    if (stdout === "") throw new Error(stderr);
    return JSON.parse(stdout) as ClientResult;
  }

  async function fromBox(attempts: readonly Attempt[]): Promise<Record<string, string>> {
    return readReach((await world.run("box", ["python3", ...reachArgs(attempts)])).stdout);
  }

  const WALLED = [...INTERNAL, ...OWN];

  test("without the wall everything can be reached from where the agent is: each attempt is a real one", async () => {
    expect(await fromBox([...PUBLIC, ...WALLED])).toEqual(allOpen([...PUBLIC, ...WALLED]));
  });

  test("with it the agent reaches the public internet and nothing else, from pi's own bash and beside it; a second start makes it anew", async () => {
    const name = "kept";
    let token = "";
    for (const round of ["first", "second"]) {
      await using running = await cell({ env: { NEST_DOMAIN: "nest.test" } }, name).started();
      const pid = await running.nestPid();
      if (round === "first") token = running.token;
      else expect(running.token).toBe("");

      // Without a capability, in any set, for good.
      const status = readFileSync(`/proc/${pid}/status`, "utf8");
      for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"])
        expect(status).toMatch(new RegExp(`^Cap${set}:\t0000000000000000$`, "m"));
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);

      // The neighbour on the LAN may ask Nest, and gets its answer through the wall.
      expect(await world.get("host", "http://172.31.200.2:8484/health")).toBe('{"status":"ok"}');
      const attempts = [...PUBLIC, ...WALLED];
      for (const [file, text] of Object.entries(reachFiles(attempts)))
        writeFileSync(join(dir.path, name, "vault", file), text);
      const { tools } = await attach("host", {
        url: "ws://172.31.200.2:8484/attach",
        token,
        by: "frame",
        prompts: [`@tool bash ${JSON.stringify({ command: REACH_COMMAND })}\n@say ok`],
      });
      const inside = readReach(tools[0] ?? "");
      expect(reached(WALLED, inside)).toEqual([]);
      expect(inside).toMatchObject(allOpen(PUBLIC));
      const beside = await fromBox(attempts);
      expect(reached(WALLED, beside)).toEqual([]);
      expect(beside).toMatchObject(allOpen(PUBLIC));
    }
  }, 60_000);

  test("the agent can't undo it, can't look into Nest, and finds no token", async () => {
    const name = "attacked";
    await using running = await cell({}, name).started();
    const pid = await running.nestPid();
    const rules = () => must(["nsenter", `--net=${world.netns("box")}`, "iptables", "-S"]);
    const before = await rules();
    await must(["cp", join(import.meta.dir, "attacks.py"), join(dir.path, name, "vault")]);
    const { output } = await running.asAgent(
      ["env", "IN_CELL=1", "python3", "/vault/attacks.py"],
      pid,
    );
    const { own, nest, undo, tokens } = readAttacks(output);
    expect(Object.values(own)).not.toContain(false);
    expect(Object.values(nest)).not.toContain(true);
    expect(worked(undo)).toEqual([]);
    expect(Object.keys(undo).length).toBeGreaterThan(25);
    expect(tokens).toEqual([]);
    expect(await rules()).toBe(before);
    // The search finds a token where there is one.
    writeFileSync(join(dir.path, name, "vault", "leak"), `x ${running.token}\n`);
    const again = await running.asAgent(["env", "IN_CELL=1", "python3", "/vault/attacks.py"], pid);
    expect(readAttacks(again.output).tokens).toEqual(["/vault/leak"]);
  }, 60_000);

  test("closed to its own user, Nest does all it does elsewhere: files large and small, and a search by ripgrep", async () => {
    const name = "vault";
    // Says that it was started: without ripgrep Nest would search by itself, only slower.
    const before = `cat >"$root/usr/local/bin/rg" <<'END_OF_RG'
#!/bin/sh
touch /vault/.rg-was-started
exec /usr/bin/rg "$@"
END_OF_RG
chmod 755 "$root/usr/local/bin/rg"`;
    await using running = await cell({ before }, name).started();
    const api = async (path: string, ...args: string[]) =>
      (
        await world.run("host", [
          "curl",
          "-s",
          "--max-time",
          "20",
          "-H",
          `Authorization: Bearer ${running.token}`,
          ...args,
          `http://172.31.200.2:8484/api/${path}`,
        ])
      ).stdout;
    await api("files/notes/a.md", "--data-binary", "needle in it\n", "-X", "PUT");
    expect(await api("files/notes/a.md")).toBe("needle in it\n");
    const large = join(dir.path, "large");
    await must(["truncate", "-s", "20M", large]);
    expect(await api("files/large", "-T", large, "-o", "/dev/null", "-w", "%{http_code}")).toBe(
      "201",
    );
    expect(await api("files/large", "-o", "/dev/null", "-w", "%{size_download}")).toBe("20971520");
    expect(JSON.parse(await api("search?q=needle"))).toMatchObject({
      matches: [{ path: "notes/a.md", line: 1 }],
    });
    expect(existsSync(join(dir.path, name, "vault", ".rg-was-started"))).toBe(true);
    expect(running.output).not.toMatch(/"level":"(?:warn|error)"/);
  });

  test("secrets come from root's files alone: a provider's key gets to the agent, Nest's own does not", async () => {
    const name = "secrets";
    const secrets = join(dir.path, name, "config", "secrets");
    mkdirSync(secrets, { recursive: true });
    writeFileSync(join(secrets, "OPENAI_API_KEY"), "key-of-the-provider\n", { mode: 0o600 });
    writeFileSync(join(secrets, "HOOK_SECRET"), "hook-secret-0123456789abcdef'\"$(id)\n", {
      mode: 0o600,
    });
    await using running = await cell({}, name).started();
    const pid = await running.nestPid();
    expect(readFileSync(`/proc/${pid}/environ`, "utf8")).toContain(
      "HOOK_SECRET=hook-secret-0123456789abcdef'\"$(id)\0",
    );
    const { tools } = await attach("host", {
      url: "ws://172.31.200.2:8484/attach",
      token: running.token,
      by: "header",
      prompts: [
        `@tool bash ${JSON.stringify({ command: "env | sort; cat /proc/*/environ /config/secrets/* 2>/dev/null | tr '\\0' '\\n'; ps -eo args" })}\n@say ok`,
      ],
    });
    expect(tools[0]).toContain("OPENAI_API_KEY=key-of-the-provider");
    expect(tools[0]).not.toContain("hook-secret");
    expect(tools[0]).not.toContain(running.token);
  }, 60_000);

  test("NEST_EGRESS_ALLOW opens exactly what it lists, NEST_EGRESS_DENY closes what is public", async () => {
    await using running = await cell({
      env: {
        NEST_EGRESS_ALLOW: "10.99.0.2/32:8080, 192.168.7.0/24",
        NEST_EGRESS_DENY: "203.0.113.10/32:8080",
      },
    }).started();
    expect(running.output).not.toContain("warning");
    const get = (url: string) => world.get("box", url);
    expect({
      listedPort: await get("http://10.99.0.2:8080/"),
      otherPort: await get("http://10.99.0.2/"),
      listedNet: await get("http://192.168.7.2/"),
      otherNet: await get("http://172.20.0.2/"),
      denied: await get("http://203.0.113.10:8080/"),
      public: await get("http://203.0.113.10/"),
    }).toEqual({
      listedPort: "lan",
      otherPort: "",
      listedNet: "lan",
      otherNet: "",
      denied: "",
      public: "pub",
    });
  });

  test("NEST_EGRESS_ALLOW: what is no list of narrow IPv4 blocks is refused, and nothing is started", async () => {
    await inPool(
      [
        { name: "everything", value: "0.0.0.0/0", says: "too wide" },
        { name: "everything in two halves", value: "0.0.0.0/1,128.0.0.0/1", says: "too wide" },
        { name: "metadata", value: "169.254.169.254/32:80", says: "never allowed" },
        { name: "what holds metadata", value: "100.0.0.0/8", says: "never allowed" },
        { name: "loopback", value: "127.0.0.1", says: "never allowed" },
        {
          name: "bits behind the prefix",
          value: "10.0.0.1/8",
          says: "no bits set behind the prefix",
        },
        { name: "octal", value: "010.0.0.1", says: "expected IPv4" },
        { name: "hexadecimal", value: "0x0a.0.0.1", says: "expected IPv4" },
        { name: "three numbers", value: "10.0.1", says: "expected IPv4" },
        { name: "five numbers", value: "10.0.0.1.1", says: "expected IPv4" },
        { name: "a number over 255", value: "10.0.0.256", says: "expected IPv4" },
        { name: "a prefix over 32", value: "10.0.0.0/33", says: "expected IPv4" },
        { name: "an empty prefix", value: "10.0.0.0/", says: "expected IPv4" },
        { name: "a name", value: "lan.test", says: "expected IPv4" },
        { name: "IPv6", value: "fd00::1", says: "expected IPv4" },
        { name: "port 0", value: "10.0.0.1:0", says: "a port from 1 to 65535" },
        { name: "a port too high", value: "10.0.0.1:65536", says: "a port from 1 to 65535" },
        { name: "an empty port", value: "10.0.0.1:", says: "a port from 1 to 65535" },
        { name: "an option of iptables", value: "10.0.0.1 -j ACCEPT", says: "expected IPv4" },
        { name: "a command", value: "$(touch /tmp/x)", says: "expected IPv4" },
        { name: "a pattern", value: "10.0.0.* ", says: "expected IPv4" },
        { name: "a second line", value: "10.0.0.1\n0.0.0.0/0", says: "expected IPv4" },
      ],
      async ({ value, says }) => {
        const output = await refused({ env: { NEST_EGRESS_ALLOW: value } });
        expect(output).toContain("NEST_EGRESS_ALLOW");
        expect(output).toContain(says);
      },
    );
  }, 60_000);

  /** A stand-in for a program that fails where `when` (a shell pattern of its arguments) fits. */
  const failing = (program: string, when: string) => `
rm "$root${program}"
cat >"$root${program}" <<'END_OF_SHIM'
#!/bin/sh
case "$*" in ${when}) echo "made to fail" >&2; exit 1 ;; esac
exec /usr/sbin/xtables-nft-multi ${program.split("/").at(-1)} "$@"
END_OF_SHIM
chmod 755 "$root${program}"`;

  test("nothing is started where a step did not take, and it is named", async () => {
    await inPool(
      [
        {
          name: "SETPCAP is not given (setpriv would say done and drop nothing)",
          options: { capabilities: ["net_admin", "setuid", "setgid"] },
          says: "capability SETPCAP is missing",
        },
        {
          name: "NET_ADMIN is not given",
          options: { capabilities: ["setpcap", "setuid", "setgid"] },
          says: "capability NET_ADMIN is missing",
        },
        {
          name: "SETUID is not given",
          options: { capabilities: ["net_admin", "setpcap", "setgid"] },
          says: "capability SETUID is missing",
        },
        {
          name: "SETPCAP is not given and the entrypoint does not look: Nest does",
          options: {
            capabilities: ["net_admin", "setuid", "setgid"],
            before: mutate("  require_capability 8 SETPCAP\n", ""),
          },
          says: "CapBnd is 00000000000010c0",
        },
        {
          name: "the bounding set is not dropped",
          options: { before: mutate(" --bounding-set=-all", "") },
          says: "CapBnd is",
        },
        {
          name: "privileges may be gained anew",
          options: { before: mutate(" --no-new-privs", "") },
          says: "NoNewPrivs is 0",
        },
        {
          name: "root is kept",
          options: {
            before: `${mutate("--reuid=$USER_NAME --regid=$USER_NAME --clear-groups ", "")}
chmod 777 "$root/vault" "$root/home/agent" "$root/config/sessions"
${mutate('[ "$(agent_can -w "$CONFIG")" = no ]', "true")}
${mutate('[ "$(agent_can -w /config)" = no ]', "true")}`,
          },
          says: "Uid is 0 0 0 0",
        },
        {
          name: "Nest is started past the entrypoint",
          options: { command: ["/usr/local/bin/bun", "/opt/nest/src/main.ts", "serve", "--demo"] },
          says: "privileges are left",
        },
        {
          name: "the entrypoint is started without root",
          options: {
            command: [
              "/usr/bin/setpriv",
              "--reuid=1000",
              "--",
              "/opt/nest/container/entrypoint.sh",
            ],
          },
          says: "started as user 1000",
        },
        {
          name: "a rule is refused by the kernel",
          options: { before: failing("/usr/sbin/iptables", "*-A*169.254.0.0/16*") },
          says: "iptables -A NEST-EGRESS -d 169.254.0.0/16 -j REJECT --reject-with icmp-admin-prohibited: failed",
        },
        {
          name: "a rule is accepted and is not there",
          options: { before: failing("/usr/sbin/iptables", "*-C*10.0.0.0/8*") },
          says: "iptables -C NEST-EGRESS -d 10.0.0.0/8",
        },
        {
          name: "the policy can't be set",
          options: { before: failing("/usr/sbin/iptables", "*-P*OUTPUT*") },
          says: "iptables -P OUTPUT DROP: failed",
        },
        {
          name: "the chain is not asked",
          options: { before: failing("/usr/sbin/iptables", "*-I*OUTPUT*") },
          says: "iptables -I OUTPUT 1 -j NEST-EGRESS: failed",
        },
        {
          name: "IPv6 has no wall",
          options: { before: failing("/usr/sbin/ip6tables", "*-P*OUTPUT*") },
          says: "ip6tables -P OUTPUT DROP: failed",
        },
        {
          name: "IPv6 is on and /proc/sys can't be written to",
          options: {
            before: `mount --bind "$root/proc/sys" "$root/proc/sys" && mount -o remount,bind,ro "$root/proc/sys"`,
          },
          says: "IPv6 is on (/proc/sys/net/ipv6/conf/",
        },
        {
          name: "there is no iptables",
          options: { before: 'rm "$root/usr/sbin/iptables"' },
          says: "the wall is not complete",
        },
        {
          name: "the resolver is not known",
          options: { before: 'echo "nameserver 127.0.0.11" >"$root/etc/resolv.conf"' },
          says: "Set NEST_DNS",
        },
        {
          name: "there are two resolvers",
          options: { before: 'echo "nameserver 203.0.113.11" >>"$root/etc/resolv.conf"' },
          says: "not exactly one IPv4 nameserver",
        },
        {
          name: "the resolver is no address",
          options: { env: { NEST_DNS: "203.0.113.10/8" } },
          says: "NEST_DNS",
        },
        {
          name: "the proxy is a network",
          options: { env: { NEST_PROXY: "172.31.200.0/24" } },
          says: "NEST_PROXY",
        },
        {
          name: "the domain is none",
          options: { env: { NEST_DOMAIN: "a b]\nhost: x" } },
          says: "NEST_DOMAIN",
        },
        {
          name: "the vault's disk is full",
          options: {
            before:
              'mount -t tmpfs -o size=64k,nr_inodes=2,mode=777 tmpfs "$root/vault"; touch "$root/vault/full"',
          },
          says: "/vault can't be written to by the agent's user, 1000: No space left on device",
        },
        {
          name: "the config's disk is full",
          options: {
            before:
              'mount -t tmpfs -o size=8k,mode=755 tmpfs "$root/config"; mkdir -m 777 "$root/config/sessions"; mount -t tmpfs -o mode=777 tmpfs "$root/config/sessions"; head -c 8192 /dev/zero >"$root/config/full" || true',
          },
          says: "cannot write /config/config.yaml",
        },
        {
          name: "/tmp is read-only, as the root is",
          options: { before: 'umount "$root/tmp"' },
          says: "/tmp can't be written to by the agent's user, 1000",
        },
      ],
      async ({ options, says }) => {
        expect(await refused(options as CellOptions)).toContain(says);
      },
    );
  }, 90_000);

  test("nothing is started where the agent could get at Nest's config or secrets", async () => {
    await inPool(
      [
        {
          name: "the agent could write Nest's config",
          prepare: (path: string) => {
            mkdirSync(join(path, "config"));
            chownSync(join(path, "config"), 1000, 1000);
          },
          says: "could change Nest's config",
        },
        {
          name: "the agent could read a secret",
          prepare: (path: string) => {
            mkdirSync(join(path, "config", "secrets"), { recursive: true });
            writeFileSync(join(path, "config", "secrets", "HOOK"), "secret-in-the-open", {
              mode: 0o644,
            });
          },
          says: "/config/secrets/HOOK can be read by the agent's user",
        },
        {
          name: "a secret has the name of what programs obey",
          prepare: (path: string) => {
            mkdirSync(join(path, "config", "secrets"), { recursive: true });
            writeFileSync(join(path, "config", "secrets", "LD_PRELOAD"), "/vault/x.so", {
              mode: 0o600,
            });
          },
          says: "this name can't be a secret's",
        },
        {
          name: "a secret has two lines",
          prepare: (path: string) => {
            mkdirSync(join(path, "config", "secrets"), { recursive: true });
            writeFileSync(join(path, "config", "secrets", "HOOK"), "one\nPATH=/vault", {
              mode: 0o600,
            });
          },
          says: "has more than one line",
        },
      ],
      async ({ prepare, says }) => {
        const output = await refused({}, prepare);
        expect(output).toContain(says);
        expect(output).not.toContain("secret-in-the-open");
      },
    );
  }, 60_000);

  test.each([
    {
      name: "the rule for private addresses",
      before: mutate("for private in $PRIVATE; do", "for private in; do"),
      reach: ["http://10.99.0.2/", "lan"],
    },
    {
      name: "the rule for what is never allowed",
      before: mutate("for never in $NEVER; do refuse", "for never in; do refuse"),
      reach: ["http://169.254.169.254/", "meta"],
    },
    {
      name: "the rule for the container's own networks",
      before: mutate("for network in $networks $servers; do", "for network in; do"),
      reach: ["http://198.51.100.3/", "peer"],
    },
  ])(
    "$name matters: without it the agent gets through",
    async ({ before, reach: [url = "", answer = ""] }) => {
      await using _ = await cell({ before }).started();
      expect(await world.get("box", url)).toBe(answer);
    },
  );

  test("the rule for answers matters: without it Nest can't answer who is in a private network", async () => {
    await using _ = await cell({
      before: mutate("  rule -m conntrack --ctstate ESTABLISHED --ctdir REPLY -j ACCEPT\n", ""),
    }).started();
    expect(await world.get("lan", "http://172.31.200.2:8484/health")).toBe("");
  });

  test("the rule for the resolver matters: without it no name is resolved", async () => {
    await using _ = await cell({
      before: mutate(
        'do rule -d "$resolver/32" -p "$protocol" --dport 53 -j ACCEPT; done',
        "do :; done",
      ),
    }).started();
    const answers = await fromBox(PUBLIC);
    expect(reached(PUBLIC, answers).map((line) => line.split(":")[0])).toEqual([
      "a public host",
      "a public host on another port",
      "a public host over UDP",
    ]);
  });

  test("rules of others stay: an engine keeps its resolver in the nat table", async () => {
    const box = ["nsenter", `--net=${world.netns("box")}`, "iptables"];
    const others = [
      ["-t", "nat", "-A", "OUTPUT", "-d", "127.0.0.11", "-p", "udp", "-j", "ACCEPT"],
      ["-A", "INPUT", "-s", "198.51.100.99", "-j", "DROP"],
    ];
    for (const rule of others) await must([...box, ...rule]);
    await using _ = await cell().started();
    for (const rule of others)
      await must([...box, ...rule.map((word) => (word === "-A" ? "-C" : word))]);
  });

  test("closing Nest to its own user matters: without it the agent reads Nest's environment", async () => {
    await using running = await cell({
      before: `cp -r "$root/opt/nest/src" "$root/opt/nest/src2" && umount "$root/opt/nest/src" && cp -r "$root/opt/nest/src2/." "$root/opt/nest/src/" && sed -i 's/^  closeToOwnUser();$//' "$root/opt/nest/src/cli/serve.ts"`,
    }).started();
    const pid = await running.nestPid();
    const inCell = /^NSpid:\s+\d+\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
    expect((await running.asAgent(["head", "-c", "1", `/proc/${inCell}/environ`], pid)).code).toBe(
      0,
    );
  });

  test("SIGTERM ends everything with 0; config and token are root's, and a new token takes the place of the old", async () => {
    const name = "stop";
    await using running = await cell({}, name).started();
    const pid = await running.nestPid();
    const config = join(dir.path, name, "config", "config.yaml");
    const { uid, mode } = statSync(config);
    expect([uid, mode & 0o777]).toEqual([0, 0o644]);
    expect(readFileSync(config, "utf8")).not.toContain(running.token);
    process.kill(pid, "SIGTERM");
    expect(await running.ended()).toBe(0);
    await using renewed = cell(
      { command: ["/opt/nest/container/entrypoint.sh", "new-token"] },
      name,
    );
    expect(await renewed.ended()).toBe(0);
    const hash = new Bun.CryptoHasher("sha256").update(renewed.token).digest("hex");
    expect(renewed.token).not.toBe(running.token);
    expect(readFileSync(config, "utf8")).toContain(`  token: sha256:${hash}\n`);
  });

  test("the health check has no privilege, and runs nothing that the agent wrote", async () => {
    const name = "health";
    const trap = 'import { writeFileSync } from "node:fs"; writeFileSync("/vault/trapped", "");';
    for (const place of ["vault", "home"]) {
      mkdirSync(join(dir.path, name, place), { recursive: true });
      for (const file of ["bunfig.toml", ".bunfig.toml"])
        writeFileSync(join(dir.path, name, place, file), 'preload = ["/vault/trap.ts"]\n');
      writeFileSync(join(dir.path, name, place, ".env"), "BUN_OPTIONS=--preload=/vault/trap.ts\n");
    }
    writeFileSync(join(dir.path, name, "vault", "trap.ts"), trap);
    await using running = await cell({}, name).started();
    const pid = await running.nestPid();
    const enter = (argv: string[], home: string) =>
      run(
        [
          "nsenter",
          `--net=${world.netns("box")}`,
          "-t",
          String(pid),
          "--mount",
          "--pid",
          `--root`,
          `--wd=/proc/${pid}/root${home}`,
          ...argv,
        ],
        {
          env: { HOME: "/home/agent" },
        },
      );
    for (const home of ["/", "/vault", "/home/agent"]) {
      expect(await enter(["/opt/nest/container/entrypoint.sh", "health"], home)).toMatchObject({
        code: 0,
        stdout: "ok\n",
      });
    }
    expect((await run(["test", "-e", join(dir.path, name, "vault", "trapped")])).code).toBe(1);
    // And it would not run with any.
    const direct = await enter(
      ["/usr/local/bin/bun", "--config=/dev/null", "/opt/nest/src/main.ts", "health"],
      "/",
    );
    expect([direct.code, direct.stderr.includes("privileges are left")]).toEqual([2, true]);
  });

  test("nest audit finds nothing to say about it; without the wall, and with IPv6, it does", async () => {
    await using running = await cell({ env: { NEST_PROXY: "172.31.200.3" } }).started();
    const pid = await running.nestPid();
    const audit = async (...args: string[]) => {
      const { stdout, stderr } = await run(
        [
          "nsenter",
          `--net=${world.netns("box")}`,
          "-t",
          String(pid),
          "--mount",
          "--pid",
          "--root",
          `--wd=/proc/${pid}/root/`,
          "/usr/local/bin/nest",
          "audit",
          "http://127.0.0.1:8484",
          "--config=/config/config.yaml",
          "--json",
          ...args,
        ],
        { env: { HOME: "/root", NEST_TOKEN: running.token, PATH: "/usr/local/bin:/usr/bin:/bin" } },
      );
      expect(stderr).toBe("");
      const { checks } = JSON.parse(stdout) as {
        checks: { id: string; outcome: string; details: string[] }[];
      };
      return checks;
    };
    const checks = await audit();
    expect(checks.filter(({ outcome }) => outcome === "fell" || outcome === "failed")).toEqual([]);
    const skipped = checks.filter(({ outcome }) => outcome === "skipped").map(({ id }) => id);
    expect(skipped.filter((id) => !id.startsWith("tls."))).toEqual([]);

    await world.run("box", ["iptables", "-P", "OUTPUT", "ACCEPT"]);
    await world.run("box", ["iptables", "-F"]);
    await world.run("box", ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=0"]);
    const broken = await audit("--only", "container");
    expect(broken.filter(({ outcome }) => outcome === "fell").map(({ id }) => id)).toEqual([
      "container.ipv6",
      "container.egress",
    ]);
    await world.run("box", ["sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"]);
  });

  test("every script is clean to shellcheck, those of the image as POSIX sh", async () => {
    const scripts = ["entrypoint.sh", "run.sh", "nix.sh", "nest"].map((name) =>
      join(SCRIPTS, name),
    );
    for (const file of scripts) expect(readFileSync(file, "utf8")).toStartWith("#!/bin/sh\n");
    const tests = ["world.sh", "cell.sh", "nix-release.sh"].map((name) =>
      join(import.meta.dir, name),
    );
    const { code, stdout } = await run(["shellcheck", ...scripts, ...tests]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  });
});
