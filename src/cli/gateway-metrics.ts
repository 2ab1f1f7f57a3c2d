import { WEBHOOK_OUTCOMES, type WebhookOutcome } from "../http/routes/webhook.ts";
import type { Clock } from "../clock.ts";
import { EventLoopLag } from "../metrics/event-loop-lag.ts";
import { exposition, type Family } from "../metrics/exposition.ts";
import { RequestCounts } from "../metrics/request-counts.ts";
import { Tally } from "../metrics/tally.ts";
import { VERSION } from "./version.ts";

/** What is looked up at the moment of asking. */
export interface Gauges {
  readonly lockedAddresses: () => number;
  readonly sockets: () => number;
  readonly sessions: () => number;
  readonly webhooksWaiting: () => number;
  /** `undefined` while it is not known. */
  readonly vaultBytes: () => number | undefined;
}

/** Log lines that are counted: each is written once for what it counts. */
const EVENTS = ["auth_failed", "lockout_start", "agent_exited", "agent_start_failed"] as const;

/** The numbers of one gateway. Labels come from closed lists: nobody outside can add to them. */
export class GatewayMetrics implements Disposable {
  readonly requests = new RequestCounts();
  readonly webhookOutcomes = new Tally<WebhookOutcome>("outcome", WEBHOOK_OUTCOMES);
  readonly #events = new Tally<string>("event", EVENTS);
  readonly #lag: EventLoopLag;
  readonly #startSeconds: number;

  constructor(clock: Clock) {
    this.#lag = new EventLoopLag(clock);
    this.#startSeconds = clock.wallMs() / 1000;
  }

  /** Told of every line of the log. */
  countEvent(event: string): void {
    if ((EVENTS as readonly string[]).includes(event)) this.#events.count(event);
  }

  /** Prometheus text of this moment. */
  text(gauges: Gauges): string {
    const vaultBytes = gauges.vaultBytes();
    const { rss } = process.memoryUsage();
    const cpu = process.cpuUsage();
    return exposition([
      {
        name: "nest_build_info",
        type: "gauge",
        help: "Always 1; the version is the label.",
        samples: [{ labels: { version: VERSION }, value: 1 }],
      },
      {
        name: "nest_http_requests_total",
        type: "counter",
        help: "Answers by route, as registered, and status.",
        samples: this.requests.samples(),
      },
      counter("nest_auth_failures_total", "Failed authentications.", this.#count("auth_failed")),
      counter("nest_lockouts_total", "Lock-outs begun.", this.#count("lockout_start")),
      gauge("nest_locked_addresses", "Addresses locked out now.", gauges.lockedAddresses()),
      gauge("nest_sockets", "Open sockets of /attach.", gauges.sockets()),
      gauge("nest_sessions", "Sessions used since the start.", gauges.sessions()),
      counter(
        "nest_agent_exits_total",
        "Agent processes that ended by themselves or could not be started; each is started again.",
        this.#count("agent_exited") + this.#count("agent_start_failed"),
      ),
      {
        name: "nest_webhooks_total",
        type: "counter",
        help: "Webhooks by what became of them.",
        samples: this.webhookOutcomes.samples(),
      },
      gauge(
        "nest_webhooks_waiting",
        "Accepted webhooks that the agent has not had.",
        gauges.webhooksWaiting(),
      ),
      {
        name: "nest_vault_bytes",
        type: "gauge",
        help: "Size of the vault's files, at most some minutes old.",
        samples: vaultBytes === undefined ? [] : [{ value: vaultBytes }],
      },
      {
        name: "nest_event_loop_lag_seconds",
        type: "histogram",
        help: "How late a timer fires, four times a second.",
        samples: this.#lag.samples(),
      },
      gauge("process_start_time_seconds", "Start, since the Unix epoch.", this.#startSeconds),
      gauge("process_resident_memory_bytes", "Resident memory.", rss),
      counter(
        "process_cpu_seconds_total",
        "CPU time of user and system.",
        (cpu.user + cpu.system) / 1e6,
      ),
    ]);
  }

  [Symbol.dispose](): void {
    this.#lag[Symbol.dispose]();
  }

  #count(event: (typeof EVENTS)[number]): number {
    return this.#events.get(event);
  }
}

function counter(name: string, help: string, value: number): Family {
  return { name, type: "counter", help, samples: [{ value }] };
}

function gauge(name: string, help: string, value: number): Family {
  return { name, type: "gauge", help, samples: [{ value }] };
}
