import { mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { AttachClient, attach, type Frame } from "../support/attach-client.ts";
import { BEARER, testGateway, TOKEN } from "../support/gateway.ts";
import { until } from "../support/until.ts";

// Waits for what comes, however slow the machine.
setDefaultTimeout(60_000);

/** Changes that a client was told of, `kind path`. */
function changesOf(client: AttachClient): string[] {
  return client.frames
    .filter((frame) => frame.type === "vault")
    .flatMap((frame) => frame["changes"] as { kind: string; path: string }[])
    .map(({ kind, path }) => `${kind} ${path}`);
}

/** Whatever was there at the start is seen by the time that a new file is told of. */
async function isWatching(vault: string, client: AttachClient): Promise<void> {
  let count = 0;
  await until("a change is told", () => {
    writeFileSync(join(vault, "mark.md"), String(count++));
    return changesOf(client).some((line) => line.endsWith("mark.md"));
  });
}

describe("vault frames", () => {
  test("what another process does in the vault reaches every socket, and what is done over HTTP too", async () => {
    await using gateway = testGateway();
    const vault = join(gateway.dir, "vault");
    await using one = await attach(gateway.attachUrl, TOKEN);
    await using two = await attach(gateway.attachUrl, TOKEN);
    await isWatching(vault, one);
    const script = `mkdir -p inbox/new && echo hi > inbox/new/a.md && mv mark.md moved.md`;
    expect(Bun.spawnSync(["sh", "-c", script], { cwd: vault }).exitCode).toBe(0);
    await fetch(`${gateway.url}/api/files/inbox/b.md`, {
      method: "PUT",
      headers: BEARER,
      body: "by HTTP",
    });
    for (const client of [one, two]) {
      for (const line of [
        "created inbox",
        "created inbox/new",
        "created inbox/new/a.md",
        "created inbox/b.md",
        "removed mark.md",
        "created moved.md",
      ])
        await until(line, () => changesOf(client).includes(line));
      expect(changesOf(client).join()).not.toContain(".nest-tmp");
    }
    const response = await fetch(`${gateway.url}/api/files/inbox/b.md`, {
      method: "DELETE",
      headers: BEARER,
    });
    expect(response.status).toBe(204);
    await until("the removal is told", () => changesOf(one).includes("removed inbox/b.md"));
    expect(changesOf(one).join()).not.toContain(".trash");
  });

  test("a token that may only prompt is not told names of files; one that may read is", async () => {
    const reading = "a-token-that-may-read-and-prompt-0123456789";
    const talking = "a-token-that-may-only-prompt-0123456789abc";
    await using gateway = testGateway({
      config: {
        server: {
          tokens: [
            { name: "reader", token: reading, scopes: ["prompt", "vault:read"] },
            { name: "talker", token: talking, scopes: ["prompt"] },
          ],
        },
      },
    });
    const vault = join(gateway.dir, "vault");
    await using reader = await attach(gateway.attachUrl, reading);
    await using talker = await attach(gateway.attachUrl, talking);
    await using waiting = await new AttachClient(gateway.attachUrl).opened();
    await isWatching(vault, reader);
    // Its own frames come after all that was told before.
    talker.send({ id: 1, type: "get_state" });
    await talker.reply(1);
    expect(talker.frames.filter(({ type }) => type === "vault")).toEqual([]);
    expect(waiting.frames).toEqual([]);
  });

  test("more than can be listed is a resync, and what comes after is told again", async () => {
    await using gateway = testGateway();
    const vault = join(gateway.dir, "vault");
    await using client = await attach(gateway.attachUrl, TOKEN);
    await isWatching(vault, client);
    const folder = join(gateway.dir, "made-outside");
    mkdirSync(folder);
    for (let i = 0; i < 1500; i++) writeFileSync(join(folder, `${i}`), "");
    // All at once.
    renameSync(folder, join(vault, "many"));
    await until("resync", () => client.frames.some((frame) => frame["resync"] === true));
    rmSync(join(vault, "many", "7"));
    await until("the removal is told", () => changesOf(client).includes("removed many/7"));
  });
});

/** A WebSocket client on a bare TCP socket, that reads nothing until it is told to. */
class SleepingClient implements Disposable {
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  readonly frames: Frame[] = [];

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1");
    this.#socket.write(
      `GET /attach HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAuthorization: Bearer ${TOKEN}\r\n` +
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    );
    this.#socket.on("data", (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
    });
  }

  /** A short frame, masked with zeros (RFC 6455 section 5.3). */
  send(frame: object): void {
    const text = Buffer.from(JSON.stringify(frame));
    this.#socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]));
  }

  sleep(): void {
    this.#socket.pause();
  }

  wake(): void {
    this.#socket.resume();
  }

  /** Takes what has come apart. */
  read(): Frame[] {
    if (this.frames.length === 0) {
      const head = this.#bytes.indexOf("\r\n\r\n");
      if (head < 0) return this.frames;
      if (this.#bytes.subarray(0, 4).equals(Buffer.from("HTTP")))
        this.#bytes = this.#bytes.subarray(head + 4);
    }
    for (;;) {
      const short = (this.#bytes[1] ?? 0) & 0x7f;
      const header = short < 126 ? 2 : short === 126 ? 4 : 10;
      if (this.#bytes.length < header) return this.frames;
      const length =
        short < 126
          ? short
          : short === 126
            ? this.#bytes.readUInt16BE(2)
            : Number(this.#bytes.readBigUInt64BE(2));
      if (this.#bytes.length < header + length) return this.frames;
      const isText = this.#bytes[0] === 0x81;
      const text = this.#bytes.toString("utf8", header, header + length);
      if (isText) this.frames.push(JSON.parse(text));
      this.#bytes = this.#bytes.subarray(header + length);
    }
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}

test("what a reader that sleeps has missed is one resync, and costs nothing meanwhile", async () => {
  const oddPi = join(import.meta.dir, "..", "support", "odd-pi.ts");
  await using gateway = testGateway({ config: { agent: { command: [process.execPath, oddPi] } } });
  const vault = join(gateway.dir, "vault");
  await using awake = await attach(gateway.attachUrl, TOKEN);
  await isWatching(vault, awake);
  using sleeper = new SleepingClient(gateway.port);
  await until("it is attached", () => sleeper.read().some(({ type }) => type === "attached"));
  sleeper.sleep();
  // 12 MiB: more than the system takes for a reader that does not read.
  sleeper.send({ id: 1, type: "get_session_stats" });
  // Answers come in order, so that of the sleeper has been sent when this one has.
  await until("the sleeper's command is known", async () => {
    awake.send({ id: "s", type: "get_session_stats" });
    await awake.reply("s");
    return true;
  });
  for (let i = 0; i < 3; i++) {
    writeFileSync(join(vault, `missed-${i}.md`), "");
    await until("it is told", () => changesOf(awake).includes(`created missed-${i}.md`));
  }
  const before = sleeper.frames.length;
  sleeper.wake();
  await until("resync", () =>
    sleeper.read().some((frame) => frame["resync"] === true && frame.type === "vault"),
  );
  writeFileSync(join(vault, "after.md"), "");
  await until("it is told", () =>
    sleeper.read().some((frame) => JSON.stringify(frame).includes("after.md")),
  );
  // The mark by which the watch was awaited may be told of late.
  const told = sleeper.frames
    .slice(before)
    .filter((frame) => !JSON.stringify(frame).includes("mark.md"));
  expect(told.map(({ type, changes }) => [type, changes])).toEqual([
    ["response", undefined],
    ["vault", []],
    ["vault", [{ path: "after.md", kind: "created" }]],
  ]);
});
