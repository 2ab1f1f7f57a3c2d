import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { PiRecord } from "../../src/agent/pi.ts";
import { hidePaths, type HostPaths, publicData, publicEvent } from "../../src/agent/public-view.ts";

/** What pi 0.87.1 wrote in real runs, with the system prompt cut short and the machine's folders made up. */
const records: { line: string; record: PiRecord }[] = readFileSync(
  new URL("fixtures/pi-records.jsonl", import.meta.url),
  "utf8",
)
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => ({ line, record: JSON.parse(line) as PiRecord }));

const PATHS: HostPaths = {
  cwd: "/srv/nest/vault",
  hidden: [
    ["/srv/nest/node_modules/@earendil-works/pi-coding-agent", "<pi>"],
    ["/srv/nest/sessions/default", "<sessions>"],
  ],
};

/** Words of the system prompt, and the folder under which everything of the host's lies. */
const HIDDEN = [
  "expert coding assistant",
  "Pi documentation",
  "<tools>",
  '"sections"',
  "/srv/nest",
];

interface Entry {
  readonly id: string;
  readonly parentId: string | null;
  readonly message?: unknown;
}

const view = (event: Record<string, unknown>): unknown => {
  const shown = publicEvent(event as unknown as PiRecord, JSON.stringify(event), PATHS);
  return shown === undefined ? undefined : JSON.parse(shown);
};

describe("the recorded runs", () => {
  test("hold what is to be hidden", () => {
    const all = records.map(({ line }) => line).join("\n");
    for (const hidden of HIDDEN) expect(all).toContain(hidden);
  });

  const events = records.filter(({ record }) => record.type !== "response");
  const responses = records.filter(({ record }) => record.type === "response");

  test.each(events.map(({ record, line }, i) => ({ name: `${i} ${record.type}`, record, line })))(
    "publicEvent shows no system prompt and no path of the host: $name",
    ({ record, line }) => {
      const shown = publicEvent(record, line, PATHS) ?? "";
      for (const hidden of HIDDEN) expect(shown).not.toContain(hidden);
    },
  );

  test.each(responses.map(({ record }) => ({ name: String(record["command"]), record })))(
    "publicData shows no system prompt and no path of the host: $name",
    ({ record }) => {
      const shown =
        JSON.stringify(publicData(String(record["command"]), record["data"], PATHS)) ?? "";
      for (const hidden of HIDDEN) expect(shown).not.toContain(hidden);
    },
  );

  test("publicEvent passes what hides nothing byte for byte", () => {
    const types = new Set<string>();
    for (const { record, line } of events) {
      if (HIDDEN.some((hidden) => line.includes(hidden))) continue;
      // Built anew whatever is in them.
      if (["entry_appended", "extension_error", "agent_end"].includes(record.type)) continue;
      // Odd white space is pi's own business, too.
      for (const text of [line, line.replaceAll(":{", ": {")]) {
        expect(publicEvent(record, text, PATHS)).toBe(text);
      }
      types.add(record.type);
    }
    for (const type of [
      "message_update",
      "message_end",
      "tool_execution_end",
      "turn_end",
      "bash_execution_update",
    ]) {
      expect(types).toContain(type);
    }
  });

  test("publicEvent hides the system message and no other", () => {
    const roles = (type: string) =>
      events
        .filter(
          ({ record, line }) =>
            record.type === type && publicEvent(record, line, PATHS) !== undefined,
        )
        .map(({ record }) => (record["message"] as { role: string }).role);
    expect(roles("message_start")).toEqual(["user", "assistant"]);
    expect(roles("message_end")).toEqual(["assistant", "toolResult"]);
  });

  test("the conversation itself stays: agent_end and get_messages lose the system message only", () => {
    const agentEnd = events.find(({ record }) => record.type === "agent_end")!;
    const all = agentEnd.record["messages"] as { role: string }[];
    const shown = JSON.parse(publicEvent(agentEnd.record, agentEnd.line, PATHS)!);
    expect(all[0]?.role).toBe("system");
    expect(shown).toEqual({ ...agentEnd.record, messages: all.slice(1) });

    const got = responses.find(({ record }) => record["command"] === "get_messages")!.record;
    const messages = (got["data"] as { messages: { role: string }[] }).messages;
    expect(publicData("get_messages", got["data"], PATHS)).toEqual({
      messages: messages.filter(({ role }) => role !== "system"),
    } as never);
  });

  test("get_entries keeps every entry's place in the tree", () => {
    const got = responses.find(({ record }) => record["command"] === "get_entries")!.record;
    const { entries } = got["data"] as { entries: Entry[] };
    const shown = publicData("get_entries", got["data"], PATHS) as { entries: Entry[] };
    expect(shown.entries.map(({ id, parentId }) => [id, parentId])).toEqual(
      entries.map(({ id, parentId }) => [id, parentId]),
    );
    expect(
      shown.entries.filter(({ message }) => Bun.deepEquals(message, { role: "system" })),
    ).toHaveLength(1);
  });

  test("get_state and get_session_stats lose sessionFile and nothing else", () => {
    for (const command of ["get_state", "get_session_stats"]) {
      const data = responses.find(({ record }) => record["command"] === command)!.record[
        "data"
      ] as Record<string, unknown>;
      const { sessionFile, ...rest } = data;
      expect(sessionFile).toContain("/srv/nest");
      expect(publicData(command, data, PATHS)).toEqual(rest);
    }
  });
});

describe("publicEvent", () => {
  const details = { truncation: { truncated: true }, fullOutputPath: "/tmp/pi-bash-1.log" };
  const result = { content: [{ type: "text", text: "out" }], details };
  const shownResult = {
    content: [{ type: "text", text: "out" }],
    details: { truncation: { truncated: true } },
  };

  test.each([
    {
      name: "tool_execution_update",
      event: { type: "tool_execution_update", partialResult: result },
      shown: { type: "tool_execution_update", partialResult: shownResult },
    },
    {
      name: "tool_execution_end",
      event: { type: "tool_execution_end", result },
      shown: { type: "tool_execution_end", result: shownResult },
    },
    {
      name: "turn_end",
      event: { type: "turn_end", toolResults: [{ role: "toolResult", ...result }] },
      shown: { type: "turn_end", toolResults: [{ role: "toolResult", ...shownResult }] },
    },
    {
      name: "agent_end",
      event: {
        type: "agent_end",
        messages: [
          { role: "toolResult", ...result },
          { role: "bashExecution", fullOutputPath: "/tmp/x" },
        ],
      },
      shown: {
        type: "agent_end",
        messages: [{ role: "toolResult", ...shownResult }, { role: "bashExecution" }],
      },
    },
    {
      name: "entry_appended",
      event: {
        type: "entry_appended",
        entry: { type: "message", id: "a", message: { role: "toolResult", ...result } },
      },
      shown: {
        type: "entry_appended",
        entry: { type: "message", id: "a", message: { role: "toolResult", ...shownResult } },
      },
    },
  ])("$name does not show where a tool's full output lies", ({ event, shown }) => {
    expect(view(event)).toEqual(shown);
  });

  test("what the model itself wrote as arguments stays, also under a name that is hidden elsewhere", () => {
    const event = {
      type: "turn_end",
      message: {
        role: "assistant",
        content: [{ type: "toolCall", arguments: { fullOutputPath: "/a", __proto: 1 } }],
      },
      toolResults: [result],
    };
    expect(view(event)).toEqual({ ...event, toolResults: [shownResult] });
  });

  test("a key named __proto__ is data", () => {
    const line =
      '{"type":"tool_execution_end","result":{"__proto__":{"a":1},"fullOutputPath":"/tmp/x"}}';
    expect(publicEvent(JSON.parse(line), line, PATHS)).toBe(
      '{"type":"tool_execution_end","result":{"__proto__":{"a":1}}}',
    );
  });

  test("an entry with the system prompt is not shown at all", () => {
    expect(
      view({
        type: "entry_appended",
        entry: { type: "message", message: { role: "system", sections: {} } },
      }),
    ).toBeUndefined();
  });

  test("the session's header entry does not show its folder", () => {
    expect(
      view({
        type: "entry_appended",
        entry: {
          type: "session",
          id: "s",
          cwd: "/srv/nest/vault",
          parentSession: "/srv/nest/sessions/x.jsonl",
        },
      }),
    ).toEqual({ type: "entry_appended", entry: { type: "session", id: "s" } });
  });

  test("an extension's error names the extension's file and hides the folders in its text", () => {
    expect(
      view({
        type: "extension_error",
        extensionPath: "/home/me/.pi/ext/guard.ts",
        event: "turn_start",
        error: "at /srv/nest/sessions/default/a.jsonl and /srv/nest/vault/b.md",
      }),
    ).toEqual({
      type: "extension_error",
      extensionPath: "guard.ts",
      event: "turn_start",
      error: "at <sessions>/a.jsonl and ./b.md",
    });
  });

  test("records of a wrong shape do not throw", () => {
    for (const type of [
      "message_start",
      "message_end",
      "agent_end",
      "entry_appended",
      "turn_end",
      "extension_error",
      "tool_execution_end",
    ]) {
      for (const rest of [
        {},
        { message: null, messages: null, entry: null },
        { message: 1, messages: 1, entry: 1 },
        { message: [], messages: {}, entry: [] },
      ]) {
        expect(() => view({ type, ...rest })).not.toThrow();
      }
    }
  });
});

describe("publicData", () => {
  test.each([
    {
      name: "bash: where the full output lies",
      command: "bash",
      data: { output: "o", fullOutputPath: "/tmp/x" },
      shown: { output: "o" },
    },
    {
      name: "get_commands: where a command comes from",
      command: "get_commands",
      data: { commands: [{ name: "c", sourceInfo: { path: "/srv/nest/x" } }] },
      shown: { commands: [{ name: "c" }] },
    },
    {
      name: "export_html: a path in the working folder becomes relative",
      command: "export_html",
      data: { path: "/srv/nest/vault/out/a.html" },
      shown: { path: "out/a.html" },
    },
    {
      name: "export_html: a path elsewhere loses its folder",
      command: "export_html",
      data: { path: "/srv/nest/sessions/a.html" },
      shown: { path: "a.html" },
    },
    {
      name: "export_html: a folder that only begins like the working folder",
      command: "export_html",
      data: { path: "/srv/nest/vault-2/a.html" },
      shown: { path: "a.html" },
    },
    {
      name: "get_tree: at any depth",
      command: "get_tree",
      data: {
        leafId: "c",
        tree: [
          {
            entry: { id: "a", message: { role: "system", sections: {} } },
            children: [
              {
                entry: {
                  id: "b",
                  message: { role: "toolResult", details: { fullOutputPath: "/x" } },
                },
                children: [],
              },
            ],
          },
        ],
      },
      shown: {
        leafId: "c",
        tree: [
          {
            entry: { id: "a", message: { role: "system" } },
            children: [
              { entry: { id: "b", message: { role: "toolResult", details: {} } }, children: [] },
            ],
          },
        ],
      },
    },
    {
      name: "an unknown command's: the known fields",
      command: "new_in_pi",
      data: { sessionFile: "/x", cwd: "/y", ok: true },
      shown: { ok: true },
    },
    { name: "no data", command: "prompt", data: undefined, shown: undefined },
    { name: "null", command: "cycle_model", data: null, shown: null },
  ])("hides $name", ({ command, data, shown }) => {
    expect(publicData(command, data, PATHS)).toEqual(shown as never);
  });

  test("data of a wrong shape does not throw", () => {
    for (const command of [
      "get_messages",
      "get_entries",
      "get_tree",
      "get_commands",
      "export_html",
    ]) {
      for (const data of [
        {},
        [],
        "x",
        1,
        { messages: 1, entries: [1, null], tree: [null, 1, {}], commands: [null] },
      ]) {
        expect(() => publicData(command, data, PATHS)).not.toThrow();
      }
    }
  });
});

describe("hidePaths", () => {
  test("replaces every occurrence, the folders of ours before the working folder around them", () => {
    const paths: HostPaths = { cwd: "/srv/nest", hidden: [["/srv/nest/sessions", "<sessions>"]] };
    expect(hidePaths("/srv/nest/sessions/a /srv/nest/b /srv/nest/sessions/c", paths)).toBe(
      "<sessions>/a ./b <sessions>/c",
    );
  });

  test("takes a path for what it is, not for a pattern", () => {
    expect(hidePaths("/a.b/x /aXb/x $& ", { cwd: "/a.b", hidden: [] })).toBe("./x /aXb/x $& ");
  });
});
