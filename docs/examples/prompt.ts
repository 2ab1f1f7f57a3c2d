/**
 * Sends one prompt over `/attach` and prints the answer as it comes: the shortest useful client.
 *
 *     NEST_TOKEN=nest_… bun docs/examples/prompt.ts "What is in my vault?" [ws://127.0.0.1:8484/attach]
 */
const [message = "Hello", url = "ws://127.0.0.1:8484/attach"] = process.argv.slice(2);
const token = process.env["NEST_TOKEN"];
if (token === undefined) {
  console.error("Set NEST_TOKEN to the token that Nest printed at its first start");
  process.exit(2);
}

const socket = new WebSocket(url);

socket.onopen = () => socket.send(JSON.stringify({ type: "auth", token }));

socket.onmessage = ({ data }) => {
  const frame = JSON.parse(String(data));
  switch (frame.type) {
    case "attached":
      if (frame.scripted) console.error("(scripted model: no key was found, or --demo was given)");
      socket.send(JSON.stringify({ id: "1", type: "prompt", message }));
      break;
    case "response":
      if (!frame.success) fail(frame.error);
      break;
    case "event":
      show(frame.event);
      break;
    case "error":
      fail(frame.code);
  }
};

socket.onclose = ({ code, reason }) => fail(`closed: ${code} ${reason}`);
socket.onerror = () => fail(`cannot reach ${url}`);

function show(event: {
  type: string;
  toolName?: string;
  args?: unknown;
  assistantMessageEvent?: { type: string; delta?: string };
  result?: { content: { text?: string }[] };
}): void {
  switch (event.type) {
    case "message_update":
      if (event.assistantMessageEvent?.type === "text_delta")
        process.stdout.write(event.assistantMessageEvent.delta ?? "");
      break;
    case "tool_execution_start":
      console.log(`\n> ${event.toolName} ${JSON.stringify(event.args)}`);
      break;
    case "tool_execution_end":
      console.log(event.result?.content.map((part) => part.text ?? "").join(""));
      break;
    case "agent_settled":
      console.log();
      process.exit(0);
  }
}

function fail(reason: string): never {
  console.error(`prompt: ${reason}`);
  process.exit(1);
}
