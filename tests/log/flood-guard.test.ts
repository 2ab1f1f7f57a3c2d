import { describe, expect, test } from "bun:test";
import { testGateway } from "../support/gateway.ts";
import { FakeClock } from "../support/fake-clock.ts";

describe("a stranger who is refused without end", () => {
  test.each([
    {
      event: "host_refused",
      path: "/api/status",
      headers: { Host: "evil.test" },
      status: 421,
    },
    {
      event: "origin_refused",
      path: "/attach",
      headers: {
        Origin: "https://evil.test",
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
      },
      status: 403,
    },
  ])("gets 60 lines of $event a minute, and the next says how many it did not", async (row) => {
    const clock = new FakeClock();
    await using nest = testGateway({ clock });
    const ask = async () =>
      expect((await fetch(nest.url + row.path, { headers: row.headers })).status).toBe(row.status);
    for (let n = 0; n < 100; n++) await ask();
    expect(nest.logged(row.event)).toHaveLength(60);
    expect(nest.audited.filter(({ event }) => event === row.event)).toHaveLength(60);
    clock.advance(60_000);
    await ask();
    await ask();
    expect(
      nest
        .logged(row.event)
        .map(({ suppressed }) => suppressed)
        .slice(59),
    ).toEqual([undefined, 40, undefined] as never[]);
  });

  test("each failed authentication is told all the same", async () => {
    await using nest = testGateway({ config: { server: { rateLimit: { maxFailures: 100 } } } });
    for (let n = 0; n < 100; n++) await fetch(`${nest.url}/api/status`);
    expect(nest.logged("auth_failed")).toHaveLength(100);
  });
});
