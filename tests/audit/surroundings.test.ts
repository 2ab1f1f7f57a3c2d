import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { SURROUNDINGS_CHECKS } from "../../src/audit/surroundings-checks.ts";
import { Target } from "../../src/audit/target.ts";
import type { World } from "../../src/audit/world.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";

const clock = {
  monotonicMs: () => performance.now(),
  wallMs: () => Date.now(),
  after(delayMs: number, run: () => void) {
    const timer = setTimeout(run, delayMs);
    return () => clearTimeout(timer);
  },
};

const CERTIFICATE =
  "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(
    " ",
  );

function world(url: string, more: Partial<World> = {}): World {
  return {
    clock,
    config: undefined,
    target: new Target(new URL(url), undefined, clock, [1, 1]),
    scratch: undefined,
    privileges: undefined,
    version: "0.1.0",
    codeFolder: "/nonexistent",
    outside: () => "/nonexistent",
    ...more,
  };
}

async function fell(id: string, one: World): Promise<readonly string[]> {
  const check = SURROUNDINGS_CHECKS.find((row) => row.id === id)!;
  return await check.run(one);
}

describe("what surrounds a Nest", () => {
  test("plain HTTP is for this machine only", async () => {
    expect(await fell("tls.encrypted", world("http://192.0.2.1:8484"))).toHaveLength(1);
    expect(await fell("tls.encrypted", world("http://nest.example.org"))).toHaveLength(1);
    for (const url of [
      "http://127.0.0.1:8484",
      "http://localhost:8484",
      "https://nest.example.org",
      "http://[::1]:1",
    ])
      expect(await fell("tls.encrypted", world(url))).toEqual([]);
  });

  test("a certificate that nobody vouches for falls, and a server with current TLS refuses 1.1", async () => {
    using dir = tempDir();
    const file = (name: string) => join(dir.path, name);
    const made = Bun.spawnSync([...CERTIFICATE, "-keyout", file("key"), "-out", file("cert")]);
    expect(made.exitCode).toBe(0);
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { key: Bun.file(file("key")), cert: Bun.file(file("cert")) },
      fetch: () => new Response("ok"),
    });
    const one = world(`https://127.0.0.1:${server.port}`);
    expect((await fell("tls.certificate", one))[0]).toContain("not good");
    expect(await fell("tls.version", one)).toEqual([]);
  });

  test("a server that still takes TLS 1.1 falls", async () => {
    using dir = tempDir();
    const file = (name: string) => join(dir.path, name);
    Bun.spawnSync([...CERTIFICATE, "-keyout", file("key"), "-out", file("cert")]);
    const server = Bun.spawn(
      [
        "openssl",
        "s_server",
        "-accept",
        "127.0.0.1:0",
        "-key",
        file("key"),
        "-cert",
        file("cert"),
        "-tls1_1",
        "-cipher",
        "ALL:@SECLEVEL=0",
        "-www",
      ],
      { stdin: "ignore", stdout: "pipe", stderr: "ignore" },
    );
    try {
      let said = "";
      void (async () => {
        for await (const chunk of server.stdout) said += new TextDecoder().decode(chunk);
      })();
      const port = await until(
        "openssl listens",
        () => /ACCEPT 127\.0\.0\.1:(\d+)/.exec(said)?.[1],
      );
      expect(await fell("tls.version", world(`https://127.0.0.1:${port}`))).toHaveLength(1);
    } finally {
      server.kill();
      await server.exited;
    }
  });

  test("code that everybody may change falls, and Nest's own does not", async () => {
    using dir = tempDir();
    const { chmodSync, mkdirSync } = await import("node:fs");
    mkdirSync(join(dir.path, "src"));
    expect(await fell("machine.code", world("http://127.0.0.1", { codeFolder: dir.path }))).toEqual(
      [],
    );
    chmodSync(join(dir.path, "src"), 0o777);
    const found = await fell("machine.code", world("http://127.0.0.1", { codeFolder: dir.path }));
    expect(found).toEqual([`${dir.path}/src can be changed by everybody (0777)`]);
  });

  test("privileges in the container are told, and outside of one nothing is claimed", async () => {
    const privileges = ["CapBnd is 1000, expected no capability"];
    const inside = world("http://127.0.0.1", { privileges });
    expect(await fell("container.privileges", inside)).toEqual(privileges);
    for (const id of [
      "container.privileges",
      "container.read-only",
      "container.ipv6",
      "container.egress",
    ])
      expect(fell(id, world("http://127.0.0.1"))).rejects.toThrow("not in Nest's container");
  });

  test("this runtime is new enough", async () => {
    expect(await fell("version.runtime", world("http://127.0.0.1"))).toEqual([]);
  });
});
