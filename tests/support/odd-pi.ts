/**
 * A program that speaks pi's RPC and does on request what the real one does rarely: for the order and size of records,
 * and for questions while it starts. Everything else is tried with the real pi.
 */
const write = (...records: object[]): void => {
  process.stdout.write(records.map((record) => `${JSON.stringify(record)}\n`).join(""));
};
const asksFirst = process.argv.includes("--ask-first");
const isSlow = process.argv.includes("--slow");
let held: { id: string } | undefined;

function handle(command: { id: string; type: string; message?: string }): void {
  const response = { id: command.id, type: "response", command: command.type, success: true };
  switch (command.type) {
    case "get_state":
      if (!asksFirst) return write({ ...response, data: {} });
      held = command;
      return write({
        type: "extension_ui_request",
        id: "first",
        method: "confirm",
        title: "Start?",
      });
    case "extension_ui_response":
      return write({
        id: held?.id,
        type: "response",
        command: "get_state",
        success: true,
        data: {},
      });
    case "get_messages":
      // One write, so that both are read in one turn.
      return write(
        { ...response, data: { messages: [] } },
        { type: "message_end", message: { role: "user", content: "after" } },
      );
    case "get_session_stats":
      return write({ ...response, data: { large: "x".repeat(12 * 1024 * 1024) } });
    case "prompt": {
      const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
      process.stdout.write(
        `{"type":"tool_execution_end","result":{"fullOutputPath":"x","nested":${nested}}}\n`,
      );
      return write(response);
    }
    default:
      return write(response);
  }
}

async function serve(): Promise<void> {
  let rest = "";
  for await (const chunk of Bun.stdin.stream().pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) handle(JSON.parse(line));
  }
}

// The slow one never answers and does not go by itself.
if (isSlow) setInterval(() => {}, 1000);
else void serve();
