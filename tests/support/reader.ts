import { argv, stdout } from "node:process";

/**
 * A client as a process of its own, to be stopped and let go on: follows the events and keeps none. Comes back with the
 * last number when it is closed. A line of JSON on stdout for each thing that happens.
 *
 *     bun reader.ts ws://host/attach TOKEN
 */
const [url = "", token = ""] = argv.slice(2);
const report = (fact: object) => stdout.write(`${JSON.stringify(fact)}\n`);
let seq: number | undefined;
let updates = 0;

function connect(): void {
  const socket = new WebSocket(seq === undefined ? url : `${url}?since=${seq}`);
  socket.onopen = () => socket.send(JSON.stringify({ type: "auth", token }));
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(String(data));
    if (frame.type === "attached") {
      if (seq === undefined || frame.resync) seq = frame.seq;
      report({ attached: frame.seq, resync: frame.resync });
    } else if (frame.type === "event") {
      if (frame.seq !== (seq as number) + 1) report({ fault: `${frame.seq} after ${seq}` });
      seq = frame.seq;
      if (frame.event.type === "tool_execution_update") updates++;
      if (frame.event.type === "agent_settled") report({ settled: seq, updates });
    }
  };
  socket.onclose = ({ code }) => {
    report({ closed: code });
    setTimeout(connect, 20);
  };
}

connect();
