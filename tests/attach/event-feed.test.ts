import { describe, expect, test } from "bun:test";
import { MemoryJournal } from "../../src/agent/journal.ts";
import { EventFeed } from "../../src/attach/event-feed.ts";
import { LIMITS } from "../../src/attach/protocol.ts";
import { FakeClock } from "../support/fake-clock.ts";

const MIB = 1024 * 1024;

/** A journal with `before` events, and a reader that has seen the first `after` of them. */
function setUp({
  before = 0,
  after,
  maxEvents = 10_000,
}: { before?: number; after?: number; maxEvents?: number } = {}) {
  const journal = new MemoryJournal({ firstSeq: 1, maxEvents, maxLength: 64 * MIB });
  for (let i = 0; i < before; i++) journal.append("{}");
  const clock = new FakeClock();
  const sent: number[] = [];
  const reader = { answer: "sent" as "sent" | "full" | "gone", tooSlow: 0 };
  const feed = new EventFeed(journal, after ?? before, {
    send: (frame) => {
      sent.push(JSON.parse(frame).seq);
      return reader.answer;
    },
    tooSlow: () => reader.tooSlow++,
    after: (delayMs, run) => clock.after(delayMs, run),
  });
  /** As a session does: an event, then everybody is woken. */
  const event = (json = "{}") => {
    journal.append(json);
    feed.pump();
  };
  return { journal, clock, sent, reader, feed, event };
}

describe("EventFeed", () => {
  test("sends each event once, in order, as it comes", () => {
    const { sent, reader, feed, event } = setUp();
    for (let i = 0; i < 3; i++) event();
    feed.pump();
    expect(sent).toEqual([1, 2, 3]);
    expect(reader.tooSlow).toBe(0);
  });

  test("sends first what was missed, and nothing that was seen", () => {
    const { sent, feed, event } = setUp({ before: 5, after: 2 });
    feed.pump();
    expect(sent).toEqual([3, 4, 5]);
    event();
    expect(sent).toEqual([3, 4, 5, 6]);
  });

  test("stops at a full socket, which has taken that frame, and goes on from there when it drains", () => {
    const { sent, reader, feed, event } = setUp();
    reader.answer = "full";
    for (let i = 0; i < 4; i++) event();
    expect(sent).toEqual([1]);
    feed.drain();
    expect(sent).toEqual([1, 2]);
    reader.answer = "sent";
    feed.drain();
    expect(sent).toEqual([1, 2, 3, 4]);
    expect(reader.tooSlow).toBe(0);
  });

  test("waits where something else has filled the socket", () => {
    const { sent, feed, event } = setUp();
    feed.fill();
    event();
    expect(sent).toEqual([]);
    feed.drain();
    expect(sent).toEqual([1]);
  });

  test("sends nothing more once the socket is gone", () => {
    const { sent, reader, feed } = setUp({ before: 5, after: 0 });
    reader.answer = "gone";
    feed.pump();
    expect(sent).toEqual([1]);
    expect(reader.tooSlow).toBe(0);
  });

  test("gives up a reader behind by more than maxUnreadBytes, and not a byte sooner", () => {
    const { journal, reader, feed, event } = setUp();
    reader.answer = "full";
    event();
    const overhead = journal.append('""').frame.length - 2;
    const rest = LIMITS.maxUnreadBytes - (overhead + 2);
    // Numbers grow no longer here: all are below 10.
    event(JSON.stringify("x".repeat(rest - overhead - 2)));
    expect(journal.lengthAfter(1)).toBe(LIMITS.maxUnreadBytes);
    expect(reader.tooSlow).toBe(0);
    journal.append("{}");
    feed.pump();
    expect(reader.tooSlow).toBe(1);
  });

  test("gives up a reader whose next event is no longer kept", () => {
    const { reader, event } = setUp({ maxEvents: 3 });
    reader.answer = "full";
    for (let i = 0; i < 4; i++) event();
    expect(reader.tooSlow).toBe(0);
    event();
    expect(reader.tooSlow).toBe(1);
  });

  describe("while it catches up", () => {
    const big = JSON.stringify("x".repeat(MIB));

    /** Twelve MiB behind, with a socket that fills at each frame. */
    function catchingUp() {
      const all = setUp({ before: 1, after: 0 });
      for (let i = 0; i < 12; i++) all.journal.append(big);
      all.reader.answer = "full";
      all.feed.pump();
      return all;
    }

    test("a reader may be further behind than maxUnreadBytes", () => {
      const { sent, reader, feed } = catchingUp();
      expect(sent).toEqual([1]);
      for (let i = 0; i < 12; i++) feed.drain();
      expect(sent).toHaveLength(13);
      expect(reader.tooSlow).toBe(0);
    });

    test("a reader is given up that takes nothing for 30 seconds", () => {
      const { clock, reader } = catchingUp();
      clock.advance(29_999);
      expect(reader.tooSlow).toBe(0);
      clock.advance(1);
      expect(reader.tooSlow).toBe(1);
    });

    test("new events give a reader that takes nothing no more time", () => {
      const { clock, reader, event } = catchingUp();
      for (let i = 0; i < 30; i++) {
        clock.advance(1000);
        event();
      }
      expect(reader.tooSlow).toBe(1);
    });

    test("a reader that takes something now and then is not given up", () => {
      const { clock, reader, feed } = catchingUp();
      for (let i = 0; i < 12; i++) {
        clock.advance(29_000);
        feed.drain();
      }
      clock.advance(300_000);
      expect(reader.tooSlow).toBe(0);
    });

    test("once it has caught up, it may be behind by maxUnreadBytes only, and no time is set", () => {
      const { clock, reader, feed, event } = catchingUp();
      for (let i = 0; i < 12; i++) feed.drain();
      // The socket is full still; nine MiB more wait for it.
      for (let i = 0; i < 7; i++) event(big);
      clock.advance(300_000);
      expect(reader.tooSlow).toBe(0);
      event(big);
      expect(reader.tooSlow).toBe(1);
    });

    test("after stop no time runs out", () => {
      const { clock, reader, feed } = catchingUp();
      feed.stop();
      clock.advance(300_000);
      expect(reader.tooSlow).toBe(0);
    });
  });

  test("a reader that has seen more than there is waits for what comes", () => {
    const { sent, reader, feed } = setUp({ before: 2, after: 2 });
    feed.pump();
    expect(sent).toEqual([]);
    expect(reader.tooSlow).toBe(0);
  });
});
