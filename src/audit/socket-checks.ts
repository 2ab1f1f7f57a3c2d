import { WRONG } from "./access-checks.ts";
import type { Check } from "./check.ts";
import { authFrame } from "./lock-out-checks.ts";
import { frameHead, frameOf, type RawSocket } from "./raw-socket.ts";
import { targetOf } from "./world.ts";

/** Time for a first frame, and some for a busy machine, ms. */
const AUTH_MS = 5000;
const SLACK_MS = 4000;
/** Bun ends silent connections after about 12 s, nginx and Caddy after 60 unless they are told otherwise; ms. */
const SILENT_MS = 45_000;
const SILENT_PROXY_MS = 75_000;

export const SOCKET_CHECKS: readonly Check[] = [
  {
    id: "socket.before-auth",
    group: "live",
    title: "nothing runs before a socket is authenticated",
    threat: "commands sent before, or behind, a first frame that is refused, in the same segment",
    severity: "critical",
    impact: "a shell",
    mitigation:
      "frames are handled one after another without an await; what comes behind a refusal is not parsed",
    attack: "commands without a token, and behind a wrong one, all in one write",
    cases: ["oven-sh/bun#32483", "CVE-2026-28458"],
    fix: "update Nest; until then let nobody reach it",
    test: "tests/attach/authentication.test.ts",
    needs: ["server"],
    guesses: 2,
    async run(world) {
      const stranger = targetOf(world).stranger();
      const command = frameOf('{"id":"audit","type":"get_state"}');
      const fell: string[] = [];
      const rows: readonly (readonly [string, Buffer])[] = [
        ["a command without a token", Buffer.concat([command, command])],
        ["commands behind a wrong token", Buffer.concat([authFrame(WRONG), command, command])],
      ];
      for (const [what, first] of rows) {
        using socket = await stranger.attach({ first });
        const code = await socket.closed(AUTH_MS + SLACK_MS);
        const types = socket.heard.said.map((said) => said["type"]);
        if (types.some((type) => type !== "error"))
          fell.push(`${what}: answered with ${types.join(", ")}`);
        if (code !== 4003) fell.push(`${what}: closed with ${code ?? "nothing"}, expected 4003`);
      }
      return fell;
    },
  },
  {
    id: "socket.silent",
    group: "live",
    title: "a socket that says nothing is closed in five seconds",
    threat: "sockets that are opened and left",
    severity: "medium",
    impact: "no more room for the owner",
    mitigation: "5 s for the first frame, by a timer that pings don't renew",
    attack: "a socket that pings and says nothing",
    cases: ["GHSA-mfg5-7q5g-f37j", "CVE-2026-41399"],
    fix: "update Nest",
    test: "tests/attach/authentication.test.ts",
    needs: ["server"],
    async run(world) {
      using socket = await targetOf(world).stranger().attach();
      if (!socket.isOpen)
        return [`an upgrade without a token: ${socket.answer.status}, expected 101`];
      socket.write(frameOf("", 9));
      const code = await socket.closed(AUTH_MS + SLACK_MS);
      return code === 4001
        ? []
        : [`a silent socket: ${code ?? "open"} after nine seconds, expected 4001`];
    },
  },
  {
    id: "socket.waiting-room",
    group: "live",
    title: "one address takes only so many places",
    threat: "opening sockets without end from one address",
    severity: "medium",
    impact: "no more room for the owner, and memory for each",
    mitigation: "16 waiting sockets an address, 256 in all; the busiest address pays",
    attack: "20 silent sockets from one address",
    cases: ["CVE-2026-41399", "CVE-2026-41343"],
    fix: "update Nest",
    test: "tests/attach/waiting-room.test.ts",
    needs: ["server", "addresses"],
    async run(world) {
      const stranger = targetOf(world).stranger();
      const sockets = await Promise.all(Array.from({ length: 20 }, () => stranger.attach()));
      const open = sockets.filter(({ isOpen }) => isOpen).length;
      for (const socket of sockets) socket[Symbol.dispose]();
      return open <= 16
        ? []
        : [`${open} of 20 sockets of one address may wait, expected 16 at most`];
    },
  },
  {
    id: "socket.first-frame",
    group: "live",
    title: "a first frame is small",
    threat: "large frames from whoever has no token",
    severity: "medium",
    impact: "memory, and time for parsing",
    mitigation:
      "4 KiB for the first frame, 1 MiB for any; more closes the socket before it is read",
    attack: "a good token in a first frame of 5 KiB; a frame that announces 2 MiB",
    cases: ["CVE-2026-42437", "CWE-770"],
    fix: "update Nest",
    test: "tests/attach/authentication.test.ts",
    needs: ["server", "token"],
    guesses: 1,
    async run(world) {
      const target = targetOf(world);
      const stranger = target.stranger();
      const path = "/attach?session=nest-audit-none";
      const padded = JSON.stringify({ type: "auth", token: target.token, pad: "x".repeat(5000) });
      using large = await stranger.attach({ path, first: frameOf(padded) });
      const fell: string[] = [];
      const said = await large.frame("error", SLACK_MS);
      if (said?.["code"] !== "unauthorized")
        fell.push(`a first frame of 5 KiB: ${said?.["code"] ?? "taken"}, expected unauthorized`);
      using huge = await stranger.attach({ path, first: frameHead(2 * 1024 * 1024) });
      const code = await huge.closed(SLACK_MS);
      if (code === undefined || code === 4001)
        fell.push("a frame that announces 2 MiB is waited for, expected 1009");
      return fell;
    },
  },
  {
    id: "socket.compression",
    group: "live",
    title: "no frame unpacks to more than it is",
    threat: "a compressed frame of a few bytes that unpacks to gigabytes",
    severity: "medium",
    impact: "Nest stops for want of memory",
    mitigation: "`permessage-deflate` is not taken up",
    attack: "a handshake that offers it",
    cases: ["CVE-2026-111497", "CWE-409"],
    fix: "update Nest",
    test: "tests/attach/authentication.test.ts",
    needs: ["server"],
    async run(world) {
      const headers = { "Sec-WebSocket-Extensions": "permessage-deflate" };
      using socket = await targetOf(world).stranger().attach({ headers });
      return /deflate/.test(socket.answer.headers.get("sec-websocket-extensions") ?? "")
        ? ["compression of frames is taken up"]
        : [];
    },
  },
  {
    id: "socket.hidden-sessions",
    group: "live",
    title: "which sessions exist is not told without a token",
    threat: "trying names of sessions without a token",
    severity: "low",
    impact: "what somebody works on",
    mitigation:
      "the upgrade is answered alike for every name; the session is looked up behind the token",
    attack: "handshakes for the default session and for one that is not there",
    cases: ["CVE-2026-35636", "CWE-204"],
    fix: "update Nest",
    test: "tests/attach/authentication.test.ts",
    needs: ["server"],
    async run(world) {
      const stranger = targetOf(world).stranger();
      using known = await stranger.attach({ path: "/attach?session=default" });
      using unknown = await stranger.attach({ path: "/attach?session=nest-audit-none" });
      return known.answer.status === unknown.answer.status
        ? []
        : [`a known session: ${known.answer.status}, an unknown one: ${unknown.answer.status}`];
    },
  },
  {
    id: "socket.token-works",
    group: "live",
    title: "the right token opens a socket, in a header and in a first frame",
    threat: "a guard that is so strict, or a proxy so odd, that the owner stays outside",
    severity: "low",
    impact: "no access, and guards that are taken out for it",
    mitigation: "both ways are tried in every test",
    attack: "both ways, for a session that is not there, so that no agent starts",
    cases: ["openclaw#155384", "CWE-703"],
    fix: "let the proxy pass upgrades on: docs/deployment.md",
    test: "tests/attach/authentication.test.ts",
    needs: ["server", "token"],
    async run(world) {
      const target = targetOf(world);
      const path = "/attach?session=nest-audit-none";
      const fell: string[] = [];
      using first = await target.stranger().attach({ path, first: authFrame(target.token ?? "") });
      const said = await first.frame("error", AUTH_MS);
      if (said?.["code"] !== "session_not_found")
        fell.push(`the right token in a first frame: ${told(first, said)}`);
      using header = await target.owner().attach({ path });
      if (header.answer.status !== 404)
        fell.push(
          `the right token in a header: ${header.answer.status}, expected 404 for that session`,
        );
      return fell;
    },
  },
  {
    id: "slow.requests",
    group: "live",
    title: "who sends a request byte by byte is sent away, and disturbs nobody",
    threat: "connections that begin a request and never end it",
    severity: "medium",
    impact: "no more connections for the owner",
    mitigation:
      "silent and dripping heads end after about 12 s, dripping bodies by deadlines of their own",
    attack:
      "ten unfinished requests, while /health is asked for; they must be gone in 45 s, through a proxy in 75",
    cases: ["prolix-oc/Lumiverse#82", "bun#13392", "CWE-400"],
    fix: "update Nest; set a header timeout in the proxy",
    test: "tests/attack/host.test.ts",
    needs: ["server"],
    deadlineMs: SILENT_PROXY_MS + 10_000,
    async run(world) {
      const target = targetOf(world);
      const stranger = target.stranger();
      const connections = Array.from({ length: 10 }, () => stranger.connect());
      try {
        for (const connection of connections)
          connection.write(`GET /health HTTP/1.1\r\nHost: ${target.url.host}\r\nX-Slow: `);
        const status = await target.stranger().status("/health");
        const withinMs = target.endpoint.isTls ? SILENT_PROXY_MS : SILENT_MS;
        const ends = await Promise.all(connections.map((one) => one.closed(withinMs)));
        const open = ends.filter((isClosed) => !isClosed).length;
        return [
          ...(status === 200 ? [] : [`/health meanwhile: ${status}, expected 200`]),
          ...(open === 0
            ? []
            : [`${open} of 10 unfinished requests were still there after ${withinMs / 1000} s`]),
        ];
      } finally {
        for (const connection of connections) connection[Symbol.dispose]();
      }
    },
  },
];

function told(socket: RawSocket, said: Readonly<Record<string, unknown>> | undefined): string {
  return String(said?.["code"] ?? (socket.isOpen ? "no answer" : socket.answer.status));
}
