import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { attach } from "../support/attach-client.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { TOKEN, testGateway } from "../support/gateway.ts";
import { NestHome } from "../support/nest-home.ts";
import { RawConnection } from "../support/raw-http.ts";
import { until } from "../support/until.ts";

setDefaultTimeout(120_000);

const support = (name: string) => join(import.meta.dir, "..", "support", name);
const flooding = { agent: { command: [process.execPath, support("flooding-pi.ts")] } };

/** `reader.ts` as a process, with what it has told. */
class Reader implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"ignore", "pipe", "inherit">;
  readonly facts: Record<string, unknown>[] = [];

  constructor(host: string) {
    this.#child = Bun.spawn(
      [process.execPath, support("reader.ts"), `ws://${host}/attach`, TOKEN],
      { stdin: "ignore", stdout: "pipe", stderr: "inherit" },
    );
    void this.#read();
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  fact(name: string, after = 0): Promise<Record<string, unknown>> {
    return until(
      `the reader tells "${name}"`,
      () => this.facts.slice(after).find((fact) => name in fact),
      60_000,
    );
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of this.#child.stdout) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.facts.push(JSON.parse(line));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

/** Peak memory of a process, MiB (proc(5), VmHWM). */
function peakMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

test.each([
  { kind: "deltas", name: "200 MiB of text" },
  { kind: "updates", name: "200 MiB of cumulative tool output" },
])(
  "a pi that says $name: bounded memory, also with a stopped reader beside one that reads",
  async ({ kind }) => {
    await using home = new NestHome({ ...flooding, sessions: { other: {} } });
    const host = await home.start();
    const url = `ws://${host}/attach`;
    await using one = await attach(url, TOKEN);
    await using reader = new Reader(host);
    await using stopped = new Reader(host);
    await reader.fact("attached");
    await stopped.fact("attached");
    // What a flood of a tenth needs, all is warm then.
    one.send({ id: 0, type: "prompt", message: `${kind} 20` });
    await reader.fact("settled");
    await stopped.fact("settled");
    const warm = peakMiB(home.nest.pid);
    const before = reader.facts.length;
    stopped.signal("SIGSTOP");
    await using other = await attach(`${url}?session=other`, TOKEN);
    // This one would keep it all.
    one.socket.terminate();
    await using two = await attach(`${url}?session=default`, TOKEN);
    two.send({ id: 1, type: "prompt", message: `${kind} 200` });
    two.socket.terminate();
    // Others are served meanwhile.
    let slowestMs = 0;
    while (!reader.facts.slice(before).some((fact) => "settled" in fact)) {
      const startMs = performance.now();
      const id = String(startMs);
      other.send({ id, type: "get_state" });
      if ((await other.reply(id))["code"] === "rate_limited") await Bun.sleep(50);
      else slowestMs = Math.max(slowestMs, performance.now() - startMs);
    }
    const growth = peakMiB(home.nest.pid) - warm;
    expect(growth).toBeLessThan(150);
    expect(slowestMs).toBeLessThan(5000);
    expect(reader.facts.filter((fact) => "fault" in fact)).toEqual([]);
    if (kind === "updates") {
      const { updates } = await reader.fact("settled", before);
      expect(updates as number).toBeLessThan(1000);
    }
    stopped.signal("SIGCONT");
    // Thinned out, the updates of all the flood fit into what may wait; the text does not.
    if (kind === "deltas") await stopped.fact("closed");
    expect(stopped.facts.filter((fact) => "fault" in fact)).toEqual([]);
  },
);

test("a reader that is stopped is closed with 4008, comes back with since, and has missed nothing; the other one is not held up", async () => {
  await using home = new NestHome(flooding);
  const host = await home.start();
  await using reader = new Reader(host);
  await using stopped = new Reader(host);
  await reader.fact("attached");
  await stopped.fact("attached");
  stopped.signal("SIGSTOP");
  const one = await attach(`ws://${host}/attach`, TOKEN);
  one.send({ id: 0, type: "prompt", message: "deltas 8" });
  await one.reply(0);
  one.socket.terminate();
  await reader.fact("settled");
  const two = await attach(`ws://${host}/attach`, TOKEN);
  two.send({ id: 0, type: "prompt", message: "deltas 8" });
  await two.reply(0);
  two.socket.terminate();
  await until("it is closed", () => home.logged("socket_too_slow").length > 0);
  stopped.signal("SIGCONT");
  const end = (await reader.fact("settled", 2))["settled"];
  await until("it has caught up", () => stopped.facts.some((fact) => fact["settled"] === end));
  for (const { facts } of [reader, stopped]) {
    expect(facts.filter((fact) => "fault" in fact)).toEqual([]);
    expect(facts.filter((fact) => fact["resync"] === true)).toEqual([]);
  }
});

test("a half-open peer is cut off after two beats without a sign; one that answers pings stays", async () => {
  const clock = new FakeClock();
  await using gateway = testGateway({ clock });
  const alive = await attach(gateway.attachUrl, TOKEN);
  await using _ = alive;
  using dead = new RawConnection(gateway.port);
  dead.write(
    `GET /attach HTTP/1.1\r\nHost: ${gateway.host}\r\nAuthorization: Bearer ${TOKEN}\r\nConnection: Upgrade\r\n` +
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
  );
  await until("it is attached", () => dead.received.includes('"attached"'));
  clock.advance(20_000);
  // 0x89 0x00 is an empty ping (RFC 6455 section 5.5.2).
  await until("it is pinged", () => dead.received.includes(Buffer.from([0x89, 0x00])));
  alive.send({ id: 1, type: "get_state" });
  await alive.reply(1);
  expect(dead.isClosed).toBe(false);
  clock.advance(20_000);
  await until("it is cut off", () => dead.isClosed);
  alive.send({ id: 2, type: "get_state" });
  await alive.reply(2);
  expect(gateway.logged("socket_gone")).toHaveLength(1);
});

test("a client that floods: the first 120 commands run, a thousand are told no, then the socket is closed with 1008", async () => {
  await using gateway = testGateway();
  await using client = await attach(gateway.attachUrl, TOKEN);
  for (let i = 0; i < 3000; i++) client.send({ id: i, type: "get_state" });
  expect(await client.closed()).toMatchObject({ code: 1008 });
  const replies = client.frames.filter(({ type }) => type === "response");
  expect(replies.filter(({ code }) => code === "rate_limited")).toHaveLength(1000);
  expect(replies.length).toBeLessThanOrEqual(1120);
  await using again = await attach(gateway.attachUrl, TOKEN);
  again.send({ id: 1, type: "get_state" });
  expect(await again.reply(1)).toMatchObject({ success: true });
});
