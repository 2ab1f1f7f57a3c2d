import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Crowd } from "./crowd.ts";
import { FAKE_AGENT } from "./fake-agent.ts";
import type { Lab } from "./lab.ts";
import { benchEnv, startNest, TOKEN } from "./nest.ts";
import type { BenchOptions } from "./options.ts";
import { pinned } from "./pinning.ts";
import { median, quantile, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import { type Arrival, TurnClient } from "./turn-client.ts";
import type { Verdicts } from "./verdict.ts";

const SOCKETS = 1000;
const IDLE_SOCKETS = 10_000;
const FAN_OUT_EVENTS = 300;
const REPLAYED = 10_000;
/** A replay of so many events ends within this, ms. */
const REPLAY_LIMIT_MS = 300;

const bun = [process.execPath, "--no-env-file", "--config=/dev/null"];
const auth = `Authorization: Bearer ${TOKEN}\r\n`;

/** What the promises of docs/reliability.md cost. */
export async function benchReliability(
  lab: Lab,
  { rounds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  await fanOut(lab, rounds, verdicts);
  await replay(lab, rounds, verdicts);
  await besideStopped(lab, rounds, verdicts);
  await idle(lab);
}

/** One session's events to a thousand sockets, beside `server.publish` of the same lines. */
async function fanOut(lab: Lab, rounds: number, verdicts: Verdicts): Promise<void> {
  const program = join(import.meta.dir, "publish-server.ts");
  const bare = await lab.serve(
    pinned("server", [...bun, program, ...FAKE_AGENT]),
    benchEnv("/nonexistent"),
  );
  const nest = await startNest(lab, { agentCommand: FAKE_AGENT });
  const crowds = { bare: new Crowd(), nest: new Crowd() };
  await crowds.bare.join(bare, "/", "", "HTTP/1.1 101", SOCKETS);
  await crowds.nest.join(nest, "/attach", auth, '"attached"', SOCKETS);
  const clients = { bare: await TurnClient.plain(bare), nest: await TurnClient.nest(nest) };
  const perSecond: Record<keyof typeof crowds, number[]> = { bare: [], nest: [] };
  for (let round = -1; round < rounds; round++) {
    for (const name of round % 2 === 0
      ? (["nest", "bare"] as const)
      : (["bare", "nest"] as const)) {
      const startMs = performance.now();
      const all = crowds[name].all('"agent_settled"');
      await clients[name].turn(`flood ${FAN_OUT_EVENTS}`);
      await all;
      const seconds = (performance.now() - startMs) / 1000;
      if (round >= 0) perSecond[name].push((FAN_OUT_EVENTS * SOCKETS) / seconds);
    }
  }
  for (const client of Object.values(clients)) client.close();
  for (const crowd of Object.values(crowds)) crowd.close();
  const ratio = ratios(perSecond.nest, perSecond.bare);
  printTable(`Fan-out: ${FAN_OUT_EVENTS} events to ${SOCKETS} sockets, frames a second`, [
    ["", "bare publish", "Nest", "ratio", "target"],
    [
      "flood",
      spread(perSecond.bare, 0),
      spread(perSecond.nest, 0),
      spread(ratio, 3),
      verdicts.judge(median(ratio), { least: 0.7 }),
    ],
  ]);
}

/** A client that comes back after ten thousand events, when Nest has been started anew: all is read from the disk. */
async function replay(lab: Lab, rounds: number, verdicts: Verdicts): Promise<void> {
  const nest = await startNest(lab, { agentCommand: FAKE_AGENT });
  const client = await TurnClient.nest(nest);
  // Beside the events of a turn's own there is room for as many again.
  await client.turn(`flood ${REPLAYED - 10}`);
  client.close();
  const ms: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const reader = new Crowd();
    const startMs = performance.now();
    await reader.join(nest, "/attach?since=0", auth, '"agent_settled"', 1);
    ms.push(performance.now() - startMs);
    reader.close();
  }
  printTable(`Replay of ${REPLAYED} events, ms from the upgrade to the last`, [
    ["", "ms", "limit by time", "target"],
    [
      "since=0",
      spread(ms, 1),
      String(REPLAY_LIMIT_MS),
      verdicts.judge(REPLAY_LIMIT_MS / median(ms), { least: 1 }),
    ],
  ]);
}

/** What a client that has stopped reading costs one that reads: the p99 of a round beside its median. */
async function besideStopped(lab: Lab, rounds: number, verdicts: Verdicts): Promise<void> {
  const nest = await startNest(lab, { agentCommand: FAKE_AGENT });
  const client = await TurnClient.nest(nest);
  const reader = join(import.meta.dir, "..", "support", "reader.ts");
  const url = `${nest.url.replace("http", "ws")}/attach`;
  const other = lab.own(
    Bun.spawn([...bun, reader, url, TOKEN], { stdin: "ignore", stdout: "pipe", stderr: "ignore" }),
  );
  if ((await other.stdout.getReader().read()).done) throw new Error("the reader ended");
  await client.turn("paced 200");
  const rows: string[][] = [];
  for (const state of ["reads", "is stopped"] as const) {
    if (state === "is stopped") process.kill(other.pid, "SIGSTOP");
    const samples: { mid: number; p99: number }[] = [];
    for (let round = 0; round < rounds; round++) {
      const latencies = latenciesOf(await client.turn("paced 300"));
      samples.push({ mid: median(latencies), p99: quantile(latencies, 0.99) });
    }
    const room = median(samples.map(({ mid, p99 }) => (5 * mid) / p99));
    rows.push([
      `the other one ${state}`,
      median(samples.map(({ mid }) => mid)).toFixed(0),
      median(samples.map(({ p99 }) => p99)).toFixed(0),
      verdicts.judge(room, state === "is stopped" ? { least: 1 } : undefined),
    ]);
  }
  process.kill(other.pid, "SIGKILL");
  client.close();
  printTable("From pi's stdout to a socket beside another client, µs; target: median × 5 / p99", [
    ["", "median", "p99", "target"],
    ...rows,
  ]);
}

/** What ten thousand sockets cost that say nothing, beside as many of bare Bun's. */
async function idle(lab: Lab): Promise<void> {
  const program = join(import.meta.dir, "publish-server.ts");
  const bare = await lab.serve([...bun, program, ...FAKE_AGENT], benchEnv("/nonexistent"));
  const nest = await startNest(lab, { agentCommand: FAKE_AGENT });
  const kilobytes: number[] = [];
  for (const [server, path, headers, first] of [
    [bare, "/", "", "HTTP/1.1 101"],
    [nest, "/attach", auth, '"attached"'],
  ] as const) {
    // What is made once is made by a first few.
    const early = new Crowd();
    await early.join(server, path, headers, first, 100);
    const before = residentBytes(server.pid);
    const crowd = new Crowd();
    await crowd.join(server, path, headers, first, IDLE_SOCKETS);
    kilobytes.push((residentBytes(server.pid) - before) / IDLE_SOCKETS / 1024);
    crowd.close();
    early.close();
  }
  const [ofBare = 0, ofNest = 0] = kilobytes;
  printTable(`${IDLE_SOCKETS} idle sockets, authenticated: resident memory for each, KiB`, [
    ["", "bare Bun, subscribed", "Nest", "ratio"],
    ["", ofBare.toFixed(2), ofNest.toFixed(2), (ofNest / ofBare).toFixed(2)],
  ]);
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "latin1");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) * 1024;
}

function latenciesOf(arrivals: readonly Arrival[]): number[] {
  return arrivals.flatMap(({ atUs, frame }) => {
    const at = frame.indexOf('"delta":"@');
    return at === -1 ? [] : [atUs - Number.parseFloat(frame.slice(at + 10))];
  });
}
