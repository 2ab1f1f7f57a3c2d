import { expect, test } from "bun:test";
import { join } from "node:path";
import { attach, AttachClient } from "../support/attach-client.ts";
import { TOKEN, testGateway } from "../support/gateway.ts";

const oddPi = (...args: string[]) => ({
  config: {
    agent: {
      command: [process.execPath, join(import.meta.dir, "..", "support", "odd-pi.ts"), ...args],
    },
  },
});

/*
 * Replies went through more promises than events, so an event that pi wrote behind a reply overtook it: a client that
 * reads the conversation and then follows the events lost the newest message.
 */
test("a reply comes before the events that pi wrote behind it", async () => {
  await using gateway = testGateway(oddPi());
  await using client = await attach(gateway.attachUrl, TOKEN);
  client.send({ id: "m", type: "get_messages" });
  await client.event("message_end");
  const kinds = client.frames.slice(2).map((frame) => frame["event"]?.type ?? frame["command"]);
  expect(kinds).toEqual(["get_messages", "message_end"]);
});

/* The limit for unread bytes was applied to the very frame that was being sent, so the client was closed each time. */
test("an answer larger than the limit for unread bytes reaches a client that reads", async () => {
  await using gateway = testGateway(oddPi());
  await using client = await attach(gateway.attachUrl, TOKEN);
  for (const id of ["a", "b"]) {
    client.send({ id, type: "get_session_stats" });
    expect((await client.reply(id))["data"].large).toHaveLength(12 * 1024 * 1024);
  }
  expect(client.close).toBeUndefined();
});

/* A record that could not be filtered ended the reading of pi's output without a word. */
test("a record that can't be passed on costs only itself", async () => {
  await using gateway = testGateway(oddPi());
  await using client = await attach(gateway.attachUrl, TOKEN);
  client.send({ id: "p", type: "prompt", message: "x" });
  expect(await client.reply("p")).toMatchObject({ success: true });
  client.send({ id: "s", type: "abort" });
  expect(await client.reply("s")).toMatchObject({ success: true });
});

/* The answer was acknowledged and dropped: the process that asked was not yet the session's. */
test("a dialog that is asked while the agent starts can be answered", async () => {
  await using gateway = testGateway(oddPi("--ask-first"));
  await using early = await new AttachClient(gateway.attachUrl).opened();
  early.send({ type: "auth", token: TOKEN });
  await early.ofType("auth_ok");
  early.send({ id: "waits", type: "abort" });
  // It is attached after 15 s at the latest, agent or not, and learns of the dialog then.
  const attached = await early.frame("attached", (frame) => frame.type === "attached");
  expect(attached["dialogs"]).toMatchObject([{ id: "first" }]);
  early.send({ type: "extension_ui_response", id: "first", confirmed: true });
  expect(await early.reply("first")).toMatchObject({ success: true });
  expect(await early.reply("waits")).toMatchObject({ success: true });
}, 40_000);
