import { type Answer, ask, isSameAnswer } from "./answer.ts";
import { type Baseline, BASELINES, startBaseline } from "./baseline.ts";
import type { Lab, Server } from "./lab.ts";
import { startNest, TOKEN } from "./nest.ts";
import type { BenchOptions } from "./options.ts";
import { interleave } from "./rounds.ts";
import { median, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import type { Target, Verdicts } from "./verdict.ts";
import { CONNECTIONS, load, requireWrk, type Throughput } from "./wrk.ts";

const BEARER = { Authorization: `Bearer ${TOKEN}` };
const WRONG = { Authorization: `Bearer ${"x".repeat(TOKEN.length)}` };
/** Locks hold for longer than any run. */
const HOUR_LOCK = { rateLimit: { windowSeconds: 3600 } };
/** Failures that lock an address, at the default of `server.rateLimit.maxFailures`. */
const MAX_FAILURES = 10;

/** The three addresses of RFC 5737 section 3 that a proxy on this machine vouches for. */
const LOCKED_ELSEWHERE = "203.0.113.9";
const CLIENT = "198.51.100.7";

interface Row {
  readonly name: string;
  /** Starts Nest and brings it into the state of the row. */
  readonly nest: (lab: Lab) => Promise<Server>;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: number;
  /** What its body must show: a fast wrong answer is none. */
  readonly shows: string;
  /** Against `Hono c.body`. */
  readonly target?: Target;
}

async function locked(lab: Lab): Promise<Server> {
  const server = await startNest(lab, { server: HOUR_LOCK });
  for (let i = 0; i < MAX_FAILURES; i++) await ask(`${server.url}/api/status`, WRONG);
  return server;
}

async function lockedElsewhere(lab: Lab): Promise<Server> {
  const server = await startNest(lab, { server: { ...HOUR_LOCK, trustedProxies: ["127.0.0.1"] } });
  const headers = { ...WRONG, "X-Forwarded-For": LOCKED_ELSEWHERE };
  for (let i = 0; i < MAX_FAILURES; i++) await ask(`${server.url}/api/status`, headers);
  return server;
}

const ROWS: readonly Row[] = [
  {
    name: "GET /api/status, right token",
    nest: (lab) => startNest(lab),
    path: "/api/status",
    headers: BEARER,
    status: 200,
    shows: '"lockouts":0',
    target: { least: 0.8 },
  },
  {
    name: "429, locked out",
    nest: locked,
    path: "/api/status",
    headers: BEARER,
    status: 429,
    shows: '"code":"locked_out"',
    target: { least: 0.9 },
  },
  {
    name: "… behind a proxy, another address locked",
    nest: lockedElsewhere,
    path: "/api/status",
    headers: { ...BEARER, "X-Forwarded-For": CLIENT },
    status: 200,
    shows: '"lockouts":1',
  },
  {
    // One that counts as a failure can't be measured: ten later the row would be the one above.
    name: "401, no token, sent by another site",
    nest: (lab) => startNest(lab),
    path: "/api/status",
    headers: { "Sec-Fetch-Site": "cross-site" },
    status: 401,
    shows: '"code":"unauthorized"',
  },
  {
    name: "GET /health",
    nest: (lab) => startNest(lab),
    path: "/health",
    headers: {},
    status: 200,
    shows: '"status":"ok"',
  },
];

/** Requests a second of Nest beside bare servers that give the very same answers. */
export async function benchHttp(
  lab: Lab,
  { rounds, seconds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  requireWrk();
  const prepared: Prepared[] = [];
  for (const row of ROWS) prepared.push(await prepare(lab, row));
  const variants = prepared.flatMap(({ row, servers }) =>
    servers.map(([name, server]) => ({
      name: `${row.name}\n${name}`,
      measure: () =>
        load(lab, {
          server,
          path: row.path,
          headers: row.headers,
          status: row.status,
          seconds,
        }),
    })),
  );
  for (const one of prepared) await check(one);
  const samples = await interleave(variants, rounds);
  for (const one of prepared) await check(one);

  const rows = prepared.map(({ row, servers }) => tableRow(row, servers, samples, verdicts));
  printTable(
    `Nest's requests per CPU second of the server, as a ratio; median of ${rounds} rounds of ${seconds} s, ${CONNECTIONS} connections (middle half)`,
    [
      [
        "",
        ...[...BASELINES, "Nest"].map((name) => `${name} µs`),
        ...BASELINES.map((baseline) => `÷ ${baseline}`),
        "by the wall clock",
        "target ÷ Hono c.body",
      ],
      ...rows,
    ],
  );
}

/** By CPU time, because a neighbour on the same core takes wall-clock time from one sample and not from the next. */
function tableRow(
  row: Row,
  servers: Prepared["servers"],
  samples: ReadonlyMap<string, Throughput[]>,
  verdicts: Verdicts,
): string[] {
  const of = (server: string) => samples.get(`${row.name}\n${server}`) ?? [];
  const costs = (server: string) => of(server).map(({ cpuUs }) => cpuUs);
  const rates = (server: string) => of(server).map(({ perSecond }) => perSecond);
  const against = (baseline: Baseline) => ratios(costs(baseline), costs("Nest"));
  return [
    row.name,
    ...servers.map(([name]) => median(costs(name)).toFixed(1)),
    ...BASELINES.map((baseline) => spread(against(baseline))),
    spread(ratios(rates("Nest"), rates("Hono c.body"))),
    verdicts.judge(median(against("Hono c.body")), row.target),
  ];
}

interface Prepared {
  readonly row: Row;
  /** Nest's own. */
  readonly answer: Answer;
  readonly servers: readonly (readonly [name: string, server: Server])[];
}

async function prepare(lab: Lab, row: Row): Promise<Prepared> {
  const nest = await row.nest(lab);
  const answer = await ask(nest.url + row.path, row.headers);
  const servers: (readonly [string, Server])[] = [];
  for (const baseline of BASELINES) {
    servers.push([baseline, await startBaseline(lab, { baseline, path: row.path, answer })]);
  }
  servers.push(["Nest", nest]);
  return { row, answer, servers };
}

/** @throws {Error} if a server does not give the answer of the row, before or after it was measured */
async function check({ row, answer, servers }: Prepared): Promise<void> {
  if (answer.status !== row.status || !answer.body.includes(row.shows)) {
    throw new Error(`Cannot measure "${row.name}": Nest answers ${JSON.stringify(answer)}`);
  }
  for (const [name, server] of servers) {
    const own = await ask(server.url + row.path, row.headers);
    if (isSameAnswer(own, answer)) continue;
    throw new Error(
      `Cannot measure "${row.name}": ${name} answers ${JSON.stringify(own)} and not ${JSON.stringify(answer)}`,
    );
  }
}
