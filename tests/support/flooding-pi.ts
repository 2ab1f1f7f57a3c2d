import { writeSync } from "node:fs";

/**
 * A program that speaks pi's RPC and says a great deal: `deltas MIB` in words of 4 KiB: 16 MiB stay within what a journal keeps, `updates MIB` as the whole
 * output so far of a tool that runs on and on.
 */
function say(record: object): void {
  const bytes = Buffer.from(`${JSON.stringify(record)}\n`);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(1, bytes, at);
    } catch (error) {
      // The pipe is full: whoever reads it makes us wait.
      if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
      Bun.sleepSync(1);
    }
  }
}

const word = "w".repeat(4096);
const output = "o".repeat(50 * 1024);

function flood(message: string): void {
  const [kind, mebibytes] = message.split(" ");
  say({ type: "agent_start" });
  say({ type: "message_start", message: { role: "user", content: message } });
  const bytes = Number(mebibytes) * 1024 * 1024;
  if (kind === "updates") {
    for (let i = 0; i * output.length < bytes; i++) {
      const partialResult = { content: [{ type: "text", text: `${i} ${output}` }] };
      say({ type: "tool_execution_update", toolCallId: "t", toolName: "bash", partialResult });
    }
    say({ type: "tool_execution_end", toolCallId: "t", toolName: "bash", isError: false });
  } else {
    for (let i = 0; i * word.length < bytes; i++) {
      const delta = { type: "text_delta", contentIndex: 0, delta: word };
      say({ type: "message_update", assistantMessageEvent: delta });
    }
  }
  say({ type: "agent_settled" });
}

for await (const line of console) {
  const { id, type, message } = JSON.parse(line) as { id: string; type: string; message?: string };
  say({ id, type: "response", command: type, success: true, data: { messages: [] } });
  if (type === "prompt") flood(message ?? "");
}
