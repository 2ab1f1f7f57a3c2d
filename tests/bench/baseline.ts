import { join } from "node:path";
import type { Answer } from "./answer.ts";
import type { Lab, Server } from "./lab.ts";
import { benchEnv } from "./nest.ts";
import { pinned } from "./pinning.ts";

/** The bare servers that Nest is measured against. */
export const BASELINES = ["Bun.serve", "Hono c.body", "Hono Response"] as const;
export type Baseline = (typeof BASELINES)[number];

/** What `baseline-server.ts` is told on its command line, as JSON. */
export interface BaselineTask {
  readonly baseline: Baseline;
  readonly path: string;
  readonly answer: Answer;
}

/** A bare server, a process of its own, that gives this answer. */
export function startBaseline(lab: Lab, task: BaselineTask): Promise<Server> {
  const program = join(import.meta.dir, "baseline-server.ts");
  const runtime = [process.execPath, "--no-env-file", "--config=/dev/null"];
  return lab.serve(
    pinned("server", [...runtime, program, JSON.stringify(task)]),
    benchEnv("/nonexistent"),
  );
}
