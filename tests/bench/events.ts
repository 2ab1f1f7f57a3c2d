import { join } from "node:path";
import { checkClock } from "./clock-check.ts";
import { FAKE_AGENT } from "./fake-agent.ts";
import type { Lab } from "./lab.ts";
import { benchEnv, startNest } from "./nest.ts";
import type { BenchOptions } from "./options.ts";
import { pinned } from "./pinning.ts";
import { median, quantile, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import { type Arrival, TurnClient } from "./turn-client.ts";

/** Events of a flood, and of all paced turns together: a 200th of a second apart they take 25 s. */
const EVENTS = 5000;

/** What one turn showed. */
interface Turn {
  /** From the agent's write to the client's handler, of each event, µs. */
  readonly latenciesUs: readonly number[];
  readonly perSecond: number;
}

/** What lies between pi's stdout and a client's socket: Nest, beside a server that only forwards lines. */
export async function benchEvents(lab: Lab, { rounds }: BenchOptions): Promise<void> {
  const bracketUs = await checkClock(lab);
  const pipe = [process.execPath, "--no-env-file", "--config=/dev/null"];
  const program = join(import.meta.dir, "pipe-server.ts");
  const clients = {
    "bare pipe": await TurnClient.plain(
      await lab.serve(
        pinned("server", [...pipe, program, ...FAKE_AGENT]),
        benchEnv("/nonexistent"),
      ),
    ),
    Nest: await TurnClient.nest(await startNest(lab, { agentCommand: FAKE_AGENT })),
  };

  const rows: string[][] = [];
  for (const mode of ["paced", "flood"] as const) {
    const count = mode === "paced" ? Math.ceil(EVENTS / rounds) : EVENTS;
    const turns: Record<keyof typeof clients, Turn[]> = { "bare pipe": [], Nest: [] };
    for (let round = -1; round < rounds; round++) {
      const order = Object.entries(clients) as [keyof typeof clients, TurnClient][];
      if (round % 2 === 0) order.reverse();
      for (const [name, client] of order) {
        const warmUp = Math.min(count, round === -1 ? 500 : count);
        const turn = read(await client.turn(`${mode} ${warmUp}`), warmUp);
        if (round >= 0) turns[name].push(turn);
      }
    }
    for (const name of ["bare pipe", "Nest"] as const) {
      const all = turns[name].flatMap(({ latenciesUs }) => latenciesUs);
      const medians = turns[name].map(({ latenciesUs }) => median(latenciesUs));
      rows.push([
        `${mode}, ${all.length} events: ${name}`,
        spread(medians, 0),
        quantile(all, 0.99).toFixed(0),
        Math.round(median(turns[name].map(({ perSecond }) => perSecond))).toString(),
      ]);
    }
    const pipeTurns = turns["bare pipe"];
    const ratio = turns.Nest.map(
      ({ perSecond }, round) => perSecond / (pipeTurns[round] as Turn).perSecond,
    );
    const added = turns.Nest.map(
      ({ latenciesUs }, round) =>
        median(latenciesUs) - median((pipeTurns[round] as Turn).latenciesUs),
    );
    rows.push([`${mode}: Nest adds`, `${spread(added, 0)} µs`, "", `× ${spread(ratio)}`]);
  }
  for (const client of Object.values(clients)) client.close();
  printTable(
    `From pi's stdout to the client's socket, µs (clocks agree to ${bracketUs.toFixed(0)} µs); in a flood the time is mostly the queue`,
    [["", "median of rounds (middle half)", "p99 of all", "events/s"], ...rows],
  );
}

/** @throws {Error} if events are missing, or came before they were sent */
function read(arrivals: readonly Arrival[], count: number): Turn {
  const latenciesUs: number[] = [];
  let firstUs = 0;
  let lastUs = 0;
  for (const { atUs, frame } of arrivals) {
    const at = frame.indexOf('"delta":"@');
    if (at === -1) continue;
    const sentUs = Number.parseFloat(frame.slice(at + 10));
    if (latenciesUs.length === 0) firstUs = sentUs;
    lastUs = atUs;
    latenciesUs.push(atUs - sentUs);
  }
  if (latenciesUs.length !== count || latenciesUs.some((us) => !(us > 0))) {
    throw new Error(
      `Cannot time a turn: ${latenciesUs.length} of ${count} events came, or too soon`,
    );
  }
  return { latenciesUs, perSecond: (count * 1e6) / (lastUs - firstUs) };
}
