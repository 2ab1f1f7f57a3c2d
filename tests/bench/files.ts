import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Lab, Server } from "./lab.ts";
import { benchEnv, startNest, TOKEN } from "./nest.ts";
import type { BenchOptions } from "./options.ts";
import { pinned } from "./pinning.ts";
import { interleave } from "./rounds.ts";
import { median, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import type { Verdicts } from "./verdict.ts";
import { CONNECTIONS, load, requireWrk } from "./wrk.ts";

const BEARER = { Authorization: `Bearer ${TOKEN}` };
const SHALLOW = "note.md";
const DEEP = "a/b/c/d/note.md";
const LARGE = "large.bin";
const LARGE_BYTES = 1024 ** 3;
/** Most extra memory of a download, MiB. */
const MOST_EXTRA_MIB = 64;

/** What reading the vault over HTTP costs, beside the trivial route and beside the same without a jail. */
export async function benchFiles(
  lab: Lab,
  { rounds, seconds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  requireWrk();
  const dir = lab.dir();
  const vault = join(dir, "vault");
  mkdirSync(join(vault, "a/b/c/d"), { recursive: true });
  for (const note of [SHALLOW, DEEP]) writeFileSync(join(vault, note), "x".repeat(1024));
  const large = openSync(join(vault, LARGE), "w");
  ftruncateSync(large, LARGE_BYTES);
  closeSync(large);
  const nest = await startNest(lab, { vault });
  const unjailed = await lab.serve(
    pinned("server", [process.execPath, join(import.meta.dir, "unjailed-server.ts"), vault]),
    benchEnv(dir),
  );
  await benchNotes(lab, nest, unjailed, { rounds, seconds }, verdicts);
  await benchDownload(lab, nest, unjailed, rounds, verdicts);
}

async function benchNotes(
  lab: Lab,
  nest: Server,
  unjailed: Server,
  { rounds, seconds }: Pick<BenchOptions, "rounds" | "seconds">,
  verdicts: Verdicts,
): Promise<void> {
  const measure = (server: Server, path: string) => () =>
    load(lab, { server, path, headers: BEARER, status: 200, seconds });
  const samples = await interleave(
    [
      { name: "trivial", measure: measure(nest, "/api/status") },
      { name: "shallow", measure: measure(nest, `/api/files/${SHALLOW}`) },
      { name: "deep", measure: measure(nest, `/api/files/${DEEP}`) },
      { name: "unjailed", measure: measure(unjailed, `/api/files/${SHALLOW}`) },
    ],
    rounds,
  );
  const costs = (name: string) => (samples.get(name) ?? []).map(({ cpuUs }) => cpuUs);
  const rates = (name: string) => (samples.get(name) ?? []).map(({ perSecond }) => perSecond);
  const row = (title: string, name: string, baseline: string, least: number) => {
    const byCpu = ratios(costs(baseline), costs(name));
    return [
      title,
      median(costs(name)).toFixed(1),
      spread(byCpu),
      spread(ratios(rates(name), rates(baseline))),
      verdicts.judge(median(byCpu), { least }),
    ];
  };
  printTable(
    `Notes of 1 KiB over HTTP, requests per CPU second of the server, as a ratio; median of ${rounds} rounds of ${seconds} s, ${CONNECTIONS} connections (middle half)`,
    [
      ["", "Nest µs", "ratio", "by the wall clock", "target"],
      row("at depth 1 ÷ trivial route", "shallow", "trivial", 0.65),
      row("at depth 5 ÷ trivial route", "deep", "trivial", 0.45),
      row("at depth 1 ÷ Bun.file().text() behind the same pipeline", "shallow", "unjailed", 1),
    ],
  );
}

async function benchDownload(
  lab: Lab,
  nest: Server,
  unjailed: Server,
  rounds: number,
  verdicts: Verdicts,
): Promise<void> {
  // Its ETag is made once and then remembered; that is not what is measured.
  await download(lab, `${nest.url}/api/files/${LARGE}`);
  const before = peakMiB(nest.pid);
  const samples = await interleave(
    [
      { name: "nest", measure: () => download(lab, `${nest.url}/api/files/${LARGE}`) },
      { name: "bare", measure: () => download(lab, `${unjailed.url}/raw/${LARGE}`) },
    ],
    Math.min(rounds, 5),
  );
  const extraMiB = peakMiB(nest.pid) - before;
  const bySpeed = ratios(samples.get("bare") ?? [], samples.get("nest") ?? []);
  printTable("A download of 1 GiB, by the wall clock", [
    ["", "Nest ms", "ratio", "target"],
    [
      "÷ a bare Response(Bun.file)",
      median(samples.get("nest") ?? []).toFixed(0),
      spread(bySpeed),
      verdicts.judge(median(bySpeed), { least: 0.8 }),
    ],
    [
      `extra memory, MiB (most ${MOST_EXTRA_MIB})`,
      extraMiB.toFixed(1),
      "",
      verdicts.judge(MOST_EXTRA_MIB / Math.max(extraMiB, 1), { least: 1 }),
    ],
  ]);
}

/** @returns milliseconds that curl took */
async function download(lab: Lab, url: string): Promise<number> {
  const argv = ["curl", "-s", "-f", "-o", "/dev/null", "-w", "%{size_download} %{time_total}"];
  const header = ["-H", `Authorization: ${BEARER.Authorization}`];
  const child = lab.own(
    Bun.spawn(pinned("client", [...argv, ...header, url]), { stdin: "ignore", stdout: "pipe" }),
  );
  const [bytes, seconds] = (await child.stdout.text()).split(" ").map(Number);
  if (bytes !== LARGE_BYTES) throw new Error(`Cannot measure ${url}: curl got ${bytes} bytes`);
  return (seconds as number) * 1000;
}

/** Most memory that a process has had, MiB; not known everywhere. */
function peakMiB(pid: number): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
  } catch {
    return Number.NaN;
  }
}
