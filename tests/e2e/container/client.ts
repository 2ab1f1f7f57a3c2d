/**
 * A client that runs where a test puts it: reads a job from standard input, attaches, sends its prompts one after
 * another, and prints what came of it. Ends by itself within a minute.
 */
import { readFileSync } from "node:fs";

export interface ClientJob {
  readonly url: string;
  readonly token: string;
  /** How the token is shown. */
  readonly by: "header" | "frame";
  /** Certificate of the authority to trust, for wss. */
  readonly caFile?: string;
  readonly prompts: readonly string[];
}

export interface ClientResult {
  readonly error?: string;
  /** Type of the frame behind the authentication, `attached` if all is well. */
  readonly attached?: string;
  readonly scripted?: boolean;
  /** What the agent's tools said, in order. */
  readonly tools: readonly string[];
  /** What the model said, all of it. */
  readonly text: string;
}

if (import.meta.main) {
  setTimeout(() => finish({ error: "not within a minute", tools: [], text: "" }), 60_000);
  const job = JSON.parse(await Bun.stdin.text()) as ClientJob;
  const tools: string[] = [];
  let text = "";
  let attached: string | undefined;
  let scripted: boolean | undefined;
  const prompts = [...job.prompts];
  const socket = new WebSocket(job.url, {
    headers: job.by === "header" ? { Authorization: `Bearer ${job.token}` } : {},
    ...(job.caFile !== undefined && { tls: { ca: readFileSync(job.caFile, "utf8") } }),
  } as unknown as string[]);
  const result = () => ({
    tools,
    text,
    ...(attached !== undefined && { attached }),
    ...(scripted !== undefined && { scripted }),
  });
  const next = () => {
    const message = prompts.shift();
    if (message === undefined) finish(result());
    else socket.send(JSON.stringify({ id: prompts.length, type: "prompt", message }));
  };
  socket.addEventListener("open", () => {
    if (job.by === "frame") socket.send(JSON.stringify({ type: "auth", token: job.token }));
  });
  let failure = "";
  socket.addEventListener("error", (event) => (failure = (event as ErrorEvent).message));
  socket.addEventListener("close", ({ code }) =>
    finish({ ...result(), error: `closed with ${code}: ${failure}` }),
  );
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(String(data));
    if (frame.type === "attached") {
      attached = frame.type;
      scripted = frame.scripted;
      next();
    } else if (frame.type === "event") {
      const { event } = frame;
      if (event.type === "tool_execution_end") tools.push(event.result.content[0]?.text ?? "");
      if (event.assistantMessageEvent?.type === "text_delta")
        text += event.assistantMessageEvent.delta;
      if (event.type === "agent_settled") next();
    }
  });
}

function finish(result: ClientResult): never {
  console.log(JSON.stringify(result));
  process.exit(0);
}
