import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../support/temp-dir.ts";
import { until } from "../../support/until.ts";
import { readAttacks, worked } from "./attacks.ts";
import { Engine, ENGINE_NEEDS } from "./engine.ts";
import {
  allOpen,
  type Attempt,
  INTERNAL,
  PUBLIC,
  REACH_COMMAND,
  reachArgs,
  reached,
  reachFiles,
  readReach,
} from "./reach.ts";
import { missing, must, tellSkipped } from "./run.ts";
import { Stack } from "./stack.ts";
import { World } from "./world.ts";

const needs = missing(...ENGINE_NEEDS);
tellSkipped("the image and the compose file in a real engine", needs);

// A busy machine is slow to start containers.
setDefaultTimeout(60_000);

/** What compose.yaml asks for, for single runs that change one of it. */
const RUN = {
  capDrop: ["--cap-drop=ALL"],
  capAdd: ["--cap-add=NET_ADMIN", "--cap-add=SETPCAP", "--cap-add=SETUID", "--cap-add=SETGID"],
  security: ["--security-opt=no-new-privileges:true"],
  readOnly: ["--read-only"],
  tmp: ["--tmpfs=/tmp:mode=1777"],
  sysctls: [
    "--sysctl=net.ipv6.conf.all.disable_ipv6=1",
    "--sysctl=net.ipv6.conf.default.disable_ipv6=1",
  ],
  env: ["--env=NEST_DNS=203.0.113.10", "--env=NEST_NIX=off"],
};
const runArgs = (changed: Partial<typeof RUN> = {}, image = ["nest:local", "serve", "--demo"]) => [
  ...Object.values({ ...RUN, ...changed }).flat(),
  ...image,
];

/** In the stack: the networks of the container's own. */
const NETWORKS: readonly Attempt[] = [
  { name: "Caddy", kind: "http", target: "172.29.84.2:80", open: "" },
  {
    name: "the gateway of the proxy's network",
    kind: "http",
    target: "172.29.84.1:8080",
    open: "host",
  },
  { name: "IPv6", kind: "http", target: "[fd00:99::2]:80", open: "lan" },
];

describe.skipIf(needs !== "")("the image and the compose file, in a real engine", () => {
  let dir: ReturnType<typeof tempDir>;
  let world: World;
  let engine: Engine;
  let stack: Stack;

  beforeAll(async () => {
    dir = tempDir();
    chmodSync(dir.path, 0o755);
    for (const name of ["world", "engine", "stack"]) mkdirSync(join(dir.path, name));
    world = await World.start(join(dir.path, "world"));
    engine = await Engine.start(join(dir.path, "engine"), world);
    stack = await Stack.start(join(dir.path, "stack"), engine, world, {
      NEST_DOMAIN: "nest.test",
      NEST_TLS: "internal",
      NEST_DNS: "203.0.113.10",
    });
    const size = Number(await engine.must(["image", "inspect", "-f", "{{.Size}}", "nest:local"]));
    console.log(
      `image ${Math.round(size / 1e6)} MB on a stand-in base, built in ${Math.round(engine.buildMs)} ms; up and healthy in ${Math.round(stack.upMs)} ms`,
    );
  }, 420_000);
  afterAll(async () => {
    await stack?.[Symbol.asyncDispose]();
    await engine?.[Symbol.asyncDispose]();
    await world?.[Symbol.asyncDispose]();
    dir?.[Symbol.dispose]();
  }, 120_000);

  const bearer = (token: string) => ["-H", `Authorization: Bearer ${token}`];

  test("through Caddy's TLS: health, an authenticated call, and no word about the server", async () => {
    const head = await stack.curl("pub", ["-i", "/health"]);
    expect(head).toStartWith("HTTP/2 200");
    expect(head).toEndWith('{"status":"ok"}');
    expect(head).toMatch(/^strict-transport-security: max-age=31536000/im);
    expect(head).not.toMatch(/^(?:server|via):/im);
    expect(await stack.status("pub", ["/api/status"])).toBe("401");
    expect(
      JSON.parse(await stack.curl("pub", [...bearer(stack.token), "/api/status"])),
    ).toMatchObject({
      sockets: 0,
    });
  });

  test("plain HTTP is sent on; other names and none are refused", async () => {
    expect(
      await stack.curl("pub", [
        "-o",
        "/dev/null",
        "-w",
        "%{http_code} %{redirect_url}",
        "http://nest.test/a?b",
      ]),
    ).toBe("308 https://nest.test/a?b");
    expect(await stack.status("pub", ["http://203.0.113.1/"])).toBe("421");
    expect(await stack.status("pub", ["-H", "Host: evil.test", "/health"])).toBe("421");
    expect(await stack.status("pub", ["https://other.test/health"])).toBe("000");
  });

  test("nothing but Caddy's ports is published, and Nest does not answer the world", async () => {
    const ports = await engine.must(["ps", "--format", "{{.Names}} {{.Ports}}"]);
    expect(ports).toMatch(/^nest-nest-1 8484\/tcp$/m);
    expect(ports.match(/->\d+\/\w+/g)?.toSorted()).toEqual([
      "->443/tcp",
      "->443/tcp",
      "->443/udp",
      "->443/udp",
      "->80/tcp",
      "->80/tcp",
    ]);
    for (const target of ["203.0.113.1:8484", "172.29.84.3:8484"])
      expect(await world.get("pub", `http://${target}/health`)).toBe("");
  });

  test("/attach by header and by first message, and a turn of the scripted pi with its tool", async () => {
    for (const by of ["header", "frame"] as const) {
      const { tools, text, scripted } = await stack.attach("pub", {
        token: stack.token,
        by,
        prompts: [`@tool bash {"command":"id -u; pwd; git --version"}\n@say That was ${by}.`],
      });
      expect(tools[0]).toMatch(/^1000\n\/vault\ngit version /);
      expect({ text, scripted }).toMatchObject({
        text: expect.stringContaining(`That was ${by}.`),
        scripted: true,
      });
    }
    const wrong = await stack.attach("lan", { token: "nest_wrong", by: "frame", prompts: [] });
    expect(wrong.error).toContain("closed with 4003");
  }, 60_000);

  test("the tools of the agent are there", async () => {
    const { stdout } = await stack.asAgent([
      "sh",
      "-c",
      "for tool in git rg fd curl jq ssh python3 bun less file patch unzip ps; do command -v $tool >/dev/null || echo $tool; done",
    ]);
    expect(stdout).toBe("");
  });

  test("the agent reaches the public internet and nothing else, from pi's own bash and by docker exec", async () => {
    const attempts = [...PUBLIC, ...INTERNAL, ...NETWORKS];
    // Without the entrypoint, from the same network and as the same user, the inside is open.
    const open = await engine.runToEnd([
      "--network=nest_egress",
      "--dns=203.0.113.10",
      "--user=1000",
      "--entrypoint=python3",
      "nest:local",
      ...reachArgs([...PUBLIC, ...INTERNAL]),
    ]);
    expect(readReach(open.output)).toEqual(allOpen([...PUBLIC, ...INTERNAL]));

    for (const [name, text] of Object.entries(reachFiles(attempts))) await stack.put(name, text);
    const { tools } = await stack.attach("pub", {
      token: stack.token,
      by: "header",
      prompts: [`@tool bash ${JSON.stringify({ command: REACH_COMMAND })}\n@say ok`],
    });
    const exec = await stack.asAgent(["python3", ...reachArgs(attempts)]);
    for (const answers of [readReach(tools[0] ?? ""), readReach(exec.stdout)]) {
      expect(reached([...INTERNAL, ...NETWORKS], answers)).toEqual([]);
      expect(answers).toMatchObject(allOpen(PUBLIC));
    }
  }, 60_000);

  test("the agent can't undo it, can't look into Nest, gains nothing by setuid, and finds no token", async () => {
    const rules = () => engine.must(["exec", "nest-nest-1", "iptables", "-S"]);
    const before = await rules();
    await stack.put("attacks.py", readFileSync(join(import.meta.dir, "attacks.py"), "utf8"));
    const { tools } = await stack.attach("pub", {
      token: stack.token,
      by: "header",
      prompts: ['@tool bash {"command":"python3 /vault/attacks.py"}\n@say ok'],
    });
    const exec = await stack.asAgent(["python3", "/vault/attacks.py"]);
    for (const output of [tools[0] ?? "", exec.stdout]) {
      const { own, nest, undo, tokens } = readAttacks(output);
      // The last two the engine's seccomp profile refuses anyway; the entrypoint's own tests show them to be real.
      expect(own).toMatchObject({
        environment: true,
        descriptors: true,
        memory: true,
        trace: true,
      });
      expect(worked(nest)).toEqual([]);
      expect(worked(undo)).toEqual([]);
      expect(tokens).toEqual([]);
    }
    expect(await rules()).toBe(before);
  }, 60_000);

  test("nothing in the image is the agent's, or anybody's, to write, outside its volumes", async () => {
    const { output } = await engine.runToEnd([
      "--entrypoint=sh",
      "--user=0",
      "nest:local",
      "-c",
      "find / -xdev ! -type l \\( ! -user 0 -o -perm -002 \\) ! -path '/proc*' ! -path '/dev*'; find / -xdev -perm /6000 -type f; getcap -r / 2>/dev/null",
    ]);
    expect(output.trim().split("\n").toSorted()).toEqual([
      "/config/sessions",
      "/home/agent",
      "/nix",
      "/run/lock",
      "/tmp",
      "/var/tmp",
      "/vault",
    ]);
  });

  test("a lock-out hits the client that guessed, not Caddy and not another client, whatever headers say", async () => {
    const guess = (place: "pub" | "lan", ...headers: string[]) =>
      stack.status(place, [
        ...bearer("nest_wrong"),
        ...headers.flatMap((header) => ["-H", header]),
        "/api/status",
      ]);
    const forged = [
      "X-Forwarded-For: 10.99.0.2",
      "X-Real-IP: 10.99.0.2",
      "Forwarded: for=10.99.0.2",
      "CF-Connecting-IP: 10.99.0.2",
      "True-Client-IP: 10.99.0.2",
      "X-Client-IP: 10.99.0.2",
      "X-Forwarded-Host: evil.test",
      "Connection: close, X-Forwarded-For",
    ];
    const answers: string[] = [];
    for (let i = 0; i < 11; i++) answers.push(await guess("pub", forged[i % forged.length] ?? ""));
    // Earlier tests may have failed from there as well.
    expect(answers.join(" ")).toMatch(/^(?:401 ){1,10}429(?: 429)*$/);
    expect(await stack.status("pub", [...bearer(stack.token), "/api/status"])).toBe("429");
    // Neighbours come from their own address, and Caddy's is nobody's.
    expect(await stack.status("lan", [...bearer(stack.token), "/api/status"])).toBe("200");
    const log = await stack.logs("nest");
    const lockouts = log.split("\n").filter((line) => line.includes('"lockout_start"'));
    expect(lockouts.map((line) => (JSON.parse(line) as { address: string }).address)).toEqual([
      "203.0.113.10",
    ]);
    expect(log.split(stack.token)).toHaveLength(2);

    // The agent shares Caddy's network and does not pass for it: its forged header is not believed.
    const own = await stack.asAgent([
      "sh",
      "-c",
      "for i in 1 2 3 4 5 6 7 8 9 10 11; do curl -s -o /dev/null -w '%{http_code} ' -H 'X-Forwarded-For: 10.99.0.2' -H 'Authorization: Bearer nest_wrong' http://172.29.84.3:8484/api/status; done",
    ]);
    expect(own.stdout.trim()).toBe(`${"401 ".repeat(10)}429`);
    expect(await stack.status("lan", [...bearer(stack.token), "/api/status"])).toBe("200");
  }, 60_000);

  test("the health check has no privilege, and would not run with any", async () => {
    expect(
      (
        await engine.must(["exec", "nest-nest-1", "/opt/nest/container/entrypoint.sh", "health"])
      ).trim(),
    ).toBe("ok");
    const direct = await engine.docker([
      "exec",
      "nest-nest-1",
      "bun",
      "--config=/dev/null",
      "/opt/nest/src/main.ts",
      "health",
    ]);
    expect([direct.code, direct.stderr]).toEqual([
      2,
      expect.stringContaining("privileges are left"),
    ]);
    expect(
      await engine.must(["inspect", "-f", "{{.Config.Healthcheck.Test}}", "nest-nest-1"]),
    ).toContain("entrypoint.sh health");
    expect((await engine.must(["exec", "nest-nest-1", "nest", "token"])).trim()).toMatch(
      /^nest_[\w-]{43}$/,
    );
  });

  test("after a restart the rules are back and the token is the same; SIGTERM ends it with 0 within 10 s", async () => {
    const rules = () => engine.must(["exec", "nest-nest-1", "iptables", "-S", "NEST-EGRESS"]);
    const before = await rules();
    const startedMs = performance.now();
    await stack.compose(["stop", "nest"]);
    expect(performance.now() - startedMs).toBeLessThan(10_000);
    expect(
      await engine.must([
        "inspect",
        "-f",
        "{{.State.ExitCode}} {{.State.OOMKilled}}",
        "nest-nest-1",
      ]),
    ).toBe("0 false\n");
    await stack.compose(["start", "nest"]);
    await until(
      "Nest is back",
      async () => (await stack.status("lan", [...bearer(stack.token), "/api/status"])) === "200",
    );
    expect(await rules()).toBe(before);
    const answers = readReach((await stack.asAgent(["python3", ...reachArgs(INTERNAL)])).stdout);
    expect(reached(INTERNAL, answers)).toEqual([]);
  }, 60_000);

  test("a new token takes the place of the old", async () => {
    const said = await stack.compose([
      "exec",
      "-T",
      "nest",
      "/opt/nest/container/entrypoint.sh",
      "new-token",
    ]);
    const token = /token +(nest_\S+)/.exec(said)?.[1] ?? "";
    await stack.compose(["restart", "nest"]);
    await until(
      "the new token is the valid one",
      async () => (await stack.status("lan", [...bearer(token), "/api/status"])) === "200",
    );
    expect(await stack.status("lan", [...bearer(stack.token), "/api/status"])).toBe("401");
    stack.token = token;
  }, 60_000);

  test.each([
    {
      name: "without SETPCAP",
      changed: { capAdd: RUN.capAdd.filter((cap) => !cap.endsWith("SETPCAP")) },
      says: "capability SETPCAP is missing",
    },
    {
      name: "without NET_ADMIN",
      changed: { capAdd: RUN.capAdd.filter((cap) => !cap.endsWith("NET_ADMIN")) },
      says: "capability NET_ADMIN is missing",
    },
    {
      name: "with IPv6 on, on a read-only /proc/sys",
      changed: {
        sysctls: [
          "--sysctl=net.ipv6.conf.all.disable_ipv6=0",
          "--sysctl=net.ipv6.conf.default.disable_ipv6=0",
        ],
      },
      says: "IPv6 is on",
    },
    {
      name: "as another user",
      changed: { security: [...RUN.security, "--user=1000"] },
      says: "started as user 1000",
    },
    {
      name: "without a /tmp",
      changed: { tmp: [] },
      says: "/tmp can't be written to by the agent's user, 1000: Read-only file system",
    },
    {
      name: "past the entrypoint",
      changed: { env: ["--entrypoint=/usr/local/bin/bun"] },
      image: ["nest:local", "/opt/nest/src/main.ts", "serve"],
      says: "privileges are left",
    },
    {
      name: "with a full vault",
      changed: { tmp: [...RUN.tmp, "--tmpfs=/vault:uid=1000,gid=1000,nr_inodes=1"] },
      says: "/vault can't be written to by the agent's user, 1000: No space left on device",
    },
    {
      name: "with a vault of root's",
      changed: { tmp: [...RUN.tmp, "--tmpfs=/vault:mode=755"] },
      says: "/vault can't be written to by the agent's user, 1000: Permission denied",
    },
    {
      name: "without a folder for the config",
      changed: {},
      says: "cannot write /config/config.yaml",
    },
  ])(
    "it does not start $name, and says why",
    async ({ changed, image, says }) => {
      const { code, output } = await engine.runToEnd(
        runArgs(changed as Partial<typeof RUN>, image && [...image]),
      );
      expect(output).toContain(says);
      expect(code).toBe(2);
    },
    60_000,
  );

  test("Nix: a release that can't be had, or is another, stops nothing; one that is right is put into /nix, the agent installs with it, and both outlive a new image", async () => {
    // The stack's first start asked for the real release, which is out of reach here.
    const first = await stack.logs("nest");
    expect(first).toMatch(/nest: nix: cannot download https:\/\/\S+\. Nest runs without Nix/);

    await must([join(import.meta.dir, "nix-release.sh"), join(dir.path, "world")], {
      timeoutMs: 120_000,
    });
    const url = "http://203.0.113.10:8080/nix.tar.xz";
    const sum = (await must(["sha256sum", join(dir.path, "world", "nix.tar.xz")])).slice(0, 64);
    await stack.up({ NEST_NIX_URL: url, NEST_NIX_SHA256: "0".repeat(64) });
    await until("the wrong release is refused", async () =>
      (await stack.logs("nest")).includes("its SHA-256 differs"),
    );
    expect((await stack.asAgent(["ls", "/nix"])).stdout).toBe("");

    await stack.up({ NEST_NIX_URL: url, NEST_NIX_SHA256: sum });
    await until(
      "Nix is there",
      async () => (await stack.logs("nest")).includes("nest: nix: ready: nix (Nix) 2.8.0"),
      60_000,
    );
    await stack.serves();
    const install = `nix profile install --offline --impure --expr 'derivation { name = "hello-1"; preferLocalBuild = true; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "/bin/mkdir -p $out/bin; echo echo hello from nix >$out/bin/hello; /bin/chmod 755 $out/bin/hello" ]; }'`;
    const prompts = (command: string) => [`@tool bash ${JSON.stringify({ command })}\n@say ok`];
    const installed = await stack.attach("lan", {
      token: stack.token,
      by: "header",
      prompts: prompts(`${install} && hello`),
    });
    expect(installed.tools[0]).toEndWith("hello from nix\n");

    // Another image in the place of this one, as after an upgrade.
    const image = await engine.must(["image", "inspect", "-f", "{{.Id}}", "nest:local"]);
    await engine.rebuild("another");
    expect(await engine.must(["image", "inspect", "-f", "{{.Id}}", "nest:local"])).not.toBe(image);
    await stack.up({ NEST_NIX_URL: url, NEST_NIX_SHA256: sum });
    await stack.serves();
    const after = await stack.attach("lan", {
      token: stack.token,
      by: "header",
      prompts: prompts("hello; nix --version"),
    });
    expect(after.tools[0]).toBe("hello from nix\nnix (Nix) 2.8.0\n");
    expect(await stack.logs("nest")).not.toContain("nest: nix:");
  }, 240_000);

  test("the image tells what it is, and its layers hold no token", async () => {
    const labels = JSON.parse(
      await engine.must(["image", "inspect", "-f", "{{json .Config.Labels}}", "nest:local"]),
    );
    expect(labels).toMatchObject({
      "org.opencontainers.image.title": "Nest",
      "org.opencontainers.image.licenses": "MIT",
    });
    expect(await engine.must(["history", "--no-trunc", "nest:local"])).not.toMatch(
      /nest_[\w-]{43}/,
    );
    const inspected = await engine.must(["inspect", "nest-nest-1", "nest-caddy-1"]);
    expect(inspected).not.toContain(stack.token);
  });
});
