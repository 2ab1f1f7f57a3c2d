import { describe, expect, test } from "bun:test";
import { createLog } from "../../src/log/log.ts";
import { type Follower, MAX_WAITING, type Receiver } from "../../src/webhook/inbox.ts";
import { Ledger } from "../../src/webhook/ledger.ts";
import { type Incoming, Webhooks } from "../../src/webhook/webhooks.ts";
import { FakeClock } from "../support/fake-clock.ts";

/** A session whose turns end when the test says so. */
class Session implements Receiver {
  isFree = true;
  readonly prompts: string[] = [];
  /** The message that it does not take on. */
  refused: string | undefined;
  readonly #followers = new Set<Follower>();

  subscribe(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  offer({ message }: { readonly message: string }): boolean {
    if (!this.isFree) throw new Error("offered while it was not free");
    const text = /-----\n(.*)\n-----/s.exec(message)?.[1] as string;
    this.prompts.push(text);
    if (text === this.refused) return false;
    this.#set(false);
    return true;
  }

  /** The owner says something. */
  prompt(message: string): void {
    this.prompts.push(message);
    this.#set(false);
  }

  settle(): void {
    this.#set(true);
  }

  /** Something happens that changes nothing. */
  stir(): void {
    this.#set(this.isFree);
  }

  end(): void {
    for (const { ended } of this.#followers) ended();
  }

  get watchers(): number {
    return this.#followers.size;
  }

  #set(isFree: boolean): void {
    this.isFree = isFree;
    for (const { wake } of this.#followers) wake();
  }
}

function setUp({ perSource = 1000, global = 1000, ledger = new Ledger(":memory:") } = {}) {
  const clock = new FakeClock();
  const session = new Session();
  let receiver: Session | undefined = session;
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level: "debug",
    format: "json",
    wallMs: () => clock.wallMs(),
    write: (line) => lines.push(JSON.parse(line)),
  });
  const webhooks = new Webhooks(
    { limits: { perSource, global }, sources: new Map() },
    { ledger, hasSession: (name) => name === "default", receiver: () => receiver, clock, log },
  );
  const send = (text: string, more: Partial<Incoming> = {}) =>
    webhooks.accept({
      source: "ci",
      session: "default",
      keys: [],
      body: new TextEncoder().encode(text),
      text,
      ...more,
    });
  const setReceiver = (next: Session | undefined) => {
    receiver = next;
  };
  return { clock, session, webhooks, send, lines, ledger, setReceiver };
}

describe("Webhooks.accept", () => {
  test("a replayed key gets the first answer, runs nothing and counts nothing", () => {
    const { send, session, clock } = setUp({ perSource: 1, global: 1 });
    const first = send("one", { keys: ["k"] });
    expect(first).toMatchObject({ kind: "accepted", session: "default" });
    for (let i = 0; i < 3; i++)
      expect(send("one", { keys: ["k"] })).toEqual({ ...first, kind: "replayed" } as never);
    expect(send("two")).toEqual({ kind: "limited", retrySeconds: 60 });
    clock.advance(1000);
    expect(session.prompts).toEqual(["one"]);
  });

  test("one of several keys is enough: the same signed bytes under another id", () => {
    const { send } = setUp();
    const first = send("one", { keys: ["id:1", "bytes"] });
    expect(send("one", { keys: ["id:2", "bytes"] })).toEqual({
      ...first,
      kind: "replayed",
    } as never);
    expect(send("other", { keys: ["id:1", "others"] })).toEqual({ kind: "key_reused" });
  });

  test("a key means nothing to another source or token", () => {
    const { send } = setUp();
    const kinds = [
      send("x", { keys: ["k"] }),
      send("x", { keys: ["k"], source: "other" }),
      send("x", { keys: ["k"], token: "phone" }),
      send("x", { keys: ["k"], token: "laptop" }),
    ].map(({ kind }) => kind);
    expect(kinds).toEqual(["accepted", "accepted", "accepted", "accepted"]);
  });

  test("a token that calls itself like a configured source takes nothing of its quota", () => {
    const { send } = setUp({ perSource: 1 });
    expect(send("1", { token: "phone" }).kind).toBe("accepted");
    expect(send("2", { token: "phone" }).kind).toBe("limited");
    expect(send("3").kind).toBe("accepted");
  });

  test("refused ones count nothing: unknown session, full inbox", () => {
    const { send, webhooks, session } = setUp();
    session.isFree = false;
    expect(send("x", { session: "nope" })).toEqual({ kind: "no_session" });
    for (let i = 0; i < MAX_WAITING; i++) expect(send(`${i}`).kind).toBe("accepted");
    for (let i = 0; i < 5; i++) expect(send("more")).toEqual({ kind: "full", retrySeconds: 30 });
    expect(webhooks.waiting).toBe(MAX_WAITING);
    expect(webhooks.quotas({ source: "ci" })[1]?.remaining).toBe(1000 - MAX_WAITING);
  });

  test("few large ones fill an inbox too", () => {
    const { send, session } = setUp();
    session.isFree = false;
    const kinds = Array.from({ length: 12 }, (_, i) => send("x".repeat(256 * 1024) + i).kind);
    expect(kinds.filter((kind) => kind === "accepted").length).toBe(7);
    expect(send("small").kind).toBe("accepted");
  });

  test("what can't be written down is not accepted", () => {
    const { send, webhooks, ledger, lines } = setUp();
    ledger[Symbol.dispose]();
    expect(send("x", { keys: ["k"] })).toEqual({ kind: "unavailable", retrySeconds: 30 });
    expect(send("x")).toEqual({ kind: "unavailable", retrySeconds: 30 });
    expect(webhooks.waiting).toBe(0);
    expect(lines.some(({ event }) => event === "webhook_not_written")).toBe(true);
  });
});

const GONE = { id: "wh_1", session: "gone", source: "ci", message: "x" };

describe("Inbox", () => {
  test("while the session is busy they queue, and follow one by one in their order", () => {
    const { send, session, clock } = setUp();
    session.prompt("owner 1");
    for (const text of ["a", "b", "c"]) send(text);
    clock.advance(60_000);
    expect(session.prompts).toEqual(["owner 1"]);
    for (let i = 0; i < 4; i++) {
      session.settle();
      clock.advance(1000);
    }
    expect(session.prompts).toEqual(["owner 1", "a", "b", "c"]);
    session.settle();
    expect(session.watchers).toBe(0);
  });

  test("the owner's prompt always goes before those that wait", () => {
    const { send, session, clock } = setUp();
    session.prompt("owner 1");
    send("webhook 1");
    send("webhook 2");
    // Behind each answer the owner has the floor for a moment.
    session.settle();
    clock.advance(299);
    session.prompt("owner 2");
    clock.advance(60_000);
    session.settle();
    clock.advance(100);
    session.prompt("owner 3");
    session.settle();
    clock.advance(299);
    expect(session.prompts).toEqual(["owner 1", "owner 2", "owner 3"]);
    clock.advance(1);
    expect(session.prompts).toEqual(["owner 1", "owner 2", "owner 3", "webhook 1"]);
  });

  test("one that the session refuses stays in front and is tried again, for as long as it takes", () => {
    const { send, session, clock, webhooks, lines } = setUp();
    session.refused = "a";
    send("a");
    send("b");
    clock.advance(300);
    expect(session.prompts).toEqual(["a"]);
    // Whatever happens in the session, the pause is kept.
    for (let i = 0; i < 100; i++) session.stir();
    clock.advance(499);
    expect(session.prompts).toEqual(["a"]);
    clock.advance(1);
    expect(session.prompts).toEqual(["a", "a"]);
    clock.advance(24 * 60 * 60 * 1000);
    expect(new Set(session.prompts)).toEqual(new Set(["a"]));
    // Every half a minute in the end.
    expect(session.prompts.length).toBeLessThan(2900);
    expect(webhooks.waiting).toBe(2);
    session.refused = undefined;
    clock.advance(30_000);
    session.settle();
    clock.advance(300);
    expect(session.prompts.slice(-2)).toEqual(["a", "b"]);
    expect(lines.filter(({ event }) => event === "webhook_lost")).toEqual([]);
  });

  test("one that waits for a session that is gone is given up at the next start, and that is said", () => {
    const ledger = new Ledger(":memory:");
    ledger.add([new Uint8Array(32)], new Uint8Array(32), GONE, Date.UTC(2027, 0, 1));
    const { webhooks, lines } = setUp({ ledger });
    expect(webhooks.waiting).toBe(0);
    expect(lines.find(({ event }) => event === "webhook_lost")).toMatchObject({ id: "wh_1" });
    expect(ledger.undelivered()).toEqual([]);
  });

  test("a session that ends takes nothing with it: what waits goes to the next of its name", () => {
    const { send, session, clock, setReceiver } = setUp();
    session.prompt("owner");
    send("a");
    setReceiver(undefined);
    session.end();
    clock.advance(60_000);
    expect(session.watchers).toBe(0);
    const next = new Session();
    next.prompt("owner again");
    setReceiver(next);
    clock.advance(60_000);
    next.settle();
    clock.advance(300);
    expect(next.prompts).toEqual(["owner again", "a"]);
  });

  test("what was accepted and not delivered is there after a restart, once", () => {
    const ledger = new Ledger(":memory:");
    const before = setUp({ ledger });
    before.session.prompt("owner");
    before.send("a", { keys: ["k"] });
    before.send("b");
    before.session.settle();
    before.clock.advance(300);
    // The process ends here, without a word.
    const after = setUp({ ledger });
    expect(after.webhooks.waiting).toBe(1);
    after.clock.advance(300);
    expect(after.session.prompts).toEqual(["b"]);
    expect(after.send("a", { keys: ["k"] }).kind).toBe("replayed");
  });
});
