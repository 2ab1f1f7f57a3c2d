import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { systemClock } from "../../src/cli/clock.ts";
import { readConfigFile } from "../../src/cli/config-file.ts";
import { type Gateway, startGateway } from "../../src/cli/gateway.ts";
import type { Clock } from "../../src/clock.ts";
import { createLog } from "../../src/log/log.ts";
import { tempDir } from "./temp-dir.ts";

/** The owner's token in tests. */
export const TOKEN = "nest_test-token-of-the-owner-0123456789abcdefghi";

export const BEARER = { Authorization: `Bearer ${TOKEN}` };

export interface TestGatewayOptions {
  /** Laid over a minimal config, section by section. */
  readonly config?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly clock?: Clock;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The folder of a gateway that was stopped, to go on where it ended; it stays whose it is. */
  readonly dir?: string;
  /** Put before the folder of the test is made use of. */
  readonly prepare?: (dir: string) => void;
}

export interface TestGateway extends AsyncDisposable {
  readonly url: string;
  readonly host: string;
  readonly port: number;
  /** `ws://…/attach` */
  readonly attachUrl: string;
  readonly dir: string;
  /** The log so far, a parsed line each. */
  readonly lines: readonly Record<string, unknown>[];
  readonly gateway: Gateway;
  /** The security log so far, a parsed line each. */
  readonly audited: readonly Record<string, unknown>[];
  /** Log lines of one event. */
  logged(event: string): Record<string, unknown>[];
  /** Writes another config and takes it over, as SIGHUP does. */
  reconfigure(config: TestGatewayOptions["config"]): void;
}

/** A whole gateway in this process on a free port, with real sockets and the scripted model, and all it made removed at the end. */
export function testGateway({
  config = {},
  clock = systemClock,
  env = process.env,
  prepare,
  dir: ownDir,
}: TestGatewayOptions = {}): TestGateway {
  const dir = ownDir === undefined ? tempDir() : { path: ownDir, [Symbol.dispose]() {} };
  prepare?.(dir.path);
  const file = join(dir.path, "config.yaml");
  const lines: Record<string, unknown>[] = [];
  const audited: Record<string, unknown>[] = [];
  const read = (overlay: NonNullable<TestGatewayOptions["config"]>) => {
    const { server, ...rest } = overlay;
    writeFileSync(file, stringify({ ...rest, server: { port: 0, token: TOKEN, ...server } }));
    return readConfigFile(file, env).config;
  };
  const log = createLog({
    level: "debug",
    format: "json",
    wallMs: () => clock.wallMs(),
    write: (line) => lines.push(JSON.parse(line)),
    writeAudit: (line) => audited.push(JSON.parse(line)),
  });
  const started = startGateway({ config: read(config), clock, log, env, demo: true });
  let stopping: Promise<void> | undefined;
  // Some tests stop it themselves, to start another where it ended.
  const gateway: Gateway = { ...started, stop: () => (stopping ??= started.stop()) };
  const { host, port } = new URL(gateway.url);
  return {
    url: gateway.url,
    host,
    port: Number(port),
    attachUrl: `ws://${host}/attach`,
    dir: dir.path,
    lines,
    audited,
    gateway,
    logged: (event) => lines.filter((line) => line["event"] === event),
    reconfigure: (next = {}) => gateway.reload(read(next)),
    async [Symbol.asyncDispose]() {
      await gateway.stop();
      dir[Symbol.dispose]();
    },
  };
}
