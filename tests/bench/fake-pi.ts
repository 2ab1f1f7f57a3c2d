import { writeSync } from "node:fs";
import { sharedUs } from "./clock.ts";

/**
 * A program: pi's RPC protocol without an agent. `prompt` is answered with `count` text deltas, each with the time at
 * which it was written in its text; the message says how: `paced COUNT` or `flood COUNT`.
 */

/** Between paced events, ms: a fast model's tokens. */
const PACE_MS = 5;

const model = { provider: "bench", id: "bench-1", name: "Bench" };

function say(record: object): void {
  const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      // The pipe is full: whoever reads it is slower than we are.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(0.05);
    }
  }
}

function delta(): void {
  say({
    type: "message_update",
    assistantMessageEvent: { type: "text_delta", contentIndex: 0, delta: `@${sharedUs()} word ` },
    usage: { input: 1200, output: 340, cacheRead: 0, cacheWrite: 0, totalTokens: 1540 },
  });
}

async function turn(message: string): Promise<void> {
  const [mode, count] = message.split(" ");
  say({ type: "agent_start" });
  const startMs = performance.now();
  for (let i = 0; i < Number(count); i++) {
    const waitMs = mode === "paced" ? startMs + i * PACE_MS - performance.now() : 0;
    if (waitMs > 0) await Bun.sleep(waitMs);
    delta();
  }
  say({ type: "agent_end", messages: [], willRetry: false });
  say({ type: "agent_settled" });
}

function answer(command: string): object | undefined {
  if (command === "get_available_models") return { models: [model] };
  if (command === "get_state") return { model, isStreaming: false, sessionId: "bench" };
  return undefined;
}

for await (const line of console) {
  const { id, type, message } = JSON.parse(line) as { id: string; type: string; message?: string };
  const data = type === "clock" ? { us: sharedUs() } : answer(type);
  say({ id, type: "response", command: type, success: true, data });
  if (type === "prompt") void turn(message ?? "");
}
