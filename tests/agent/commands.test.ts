import { describe, expect, test } from "bun:test";
import { type Command, isRefusal, parseCommand, type Refusal } from "../../src/agent/commands.ts";
import { COMMANDS } from "../../src/auth/permissions.ts";

const parse = (frame: Record<string, unknown>, id?: string | number) =>
  parseCommand(frame as { type: string }, id);

function accepted(frame: Record<string, unknown>, id?: string | number): Command {
  const command = parse(frame, id);
  if (isRefusal(command)) throw new Error(command.error);
  return command;
}

function refused(frame: Record<string, unknown>): Refusal {
  const command = parse(frame);
  if (!isRefusal(command)) throw new Error(`accepted: ${JSON.stringify(command)}`);
  return command;
}

const PNG = { type: "image", data: "iVBORw0KGgo=", mimeType: "image/png" };

/** Every command, and fields with which it is good. */
const ROWS = [
  {
    type: "prompt",
    fields: {
      message: "hi",
      images: [PNG, { vault: "inbox/a.png" }],
      streamingBehavior: "steer",
      key: "k-1",
    },
  },
  { type: "retry_prompt", fields: { prompt: "p-1" } },
  { type: "steer", fields: { message: "hi", images: [] } },
  { type: "follow_up", fields: { message: "hi" } },
  { type: "abort", fields: {} },
  { type: "get_state", fields: {} },
  { type: "get_messages", fields: {} },
  { type: "get_last_assistant_text", fields: {} },
  { type: "get_session_stats", fields: {} },
  { type: "abort_bash", fields: {} },
  { type: "abort_retry", fields: {} },
  { type: "bash", fields: { command: "ls", excludeFromContext: true } },
  { type: "clear_queue", fields: {} },
  { type: "clone", fields: {} },
  { type: "compact", fields: { customInstructions: "" } },
  { type: "cycle_model", fields: {} },
  { type: "cycle_thinking_level", fields: {} },
  { type: "export_html", fields: {} },
  { type: "fork", fields: { entryId: "0aed8814" } },
  { type: "get_available_models", fields: {} },
  { type: "get_available_thinking_levels", fields: {} },
  { type: "get_commands", fields: {} },
  { type: "get_entries", fields: { since: "0aed8814" } },
  { type: "get_fork_messages", fields: {} },
  { type: "get_tree", fields: {} },
  { type: "new_session", fields: {} },
  { type: "set_auto_compaction", fields: { enabled: false } },
  { type: "set_auto_retry", fields: { enabled: true } },
  { type: "set_follow_up_mode", fields: { mode: "all" } },
  { type: "set_model", fields: { provider: "anthropic", modelId: "claude" } },
  { type: "set_session_name", fields: { name: "notes" } },
  { type: "set_steering_mode", fields: { mode: "one-at-a-time" } },
  { type: "set_thinking_level", fields: { level: "xhigh" } },
  {
    type: "extension_ui_response",
    fields: { value: "blue", confirmed: true, cancelled: true },
  },
].map(({ type, fields }) => ({ name: type, type, fields }));

test("every command, and no other, has its row in the table of permissions", () => {
  expect(Object.keys(COMMANDS).toSorted()).toEqual(ROWS.map(({ type }) => type).toSorted());
});

describe("parseCommand", () => {
  test.each(ROWS)("passes $name on with its fields, and nothing else", ({ type, fields }) => {
    expect(accepted({ type, ...fields }) as unknown).toEqual({ type, fields });
    expect(accepted({ type, id: 7, ...fields }, 7) as unknown).toEqual({
      type,
      id: 7,
      fields,
    });
    expect(accepted({ type, id: "", ...fields }, "") as unknown).toEqual({
      type,
      id: "",
      fields,
    });
  });

  test.each(ROWS)("refuses $name with a field that is not known", ({ type, fields }) => {
    for (const extra of [
      "sessionPath",
      "outputPath",
      "parentSession",
      "cwd",
      "Message",
      "constructor",
      "toString",
      "__proto__",
    ]) {
      const frame = JSON.parse(`{"${extra}":"/etc"}`);
      expect(
        refused(
          Object.defineProperties({ type, ...fields }, Object.getOwnPropertyDescriptors(frame)),
        ),
      ).toEqual({
        code: "invalid_command",
        error: `Cannot run "${type}": ${extra}: no such field`,
      });
    }
  });

  test.each(ROWS.filter(({ fields }) => Object.keys(fields).length > 0))(
    "refuses $name with a field of another kind",
    ({ type, fields }) => {
      for (const field of Object.keys(fields)) {
        for (const value of [null, 1, {}, [[]], { vault: 1 }]) {
          const { code, error } = refused({ type, ...fields, [field]: value });
          expect(code).toBe("invalid_command");
          expect(error).toStartWith(`Cannot run "${type}": ${field}`);
        }
      }
    },
  );

  test.each([
    { name: "prompt", frame: { type: "prompt" }, field: "message" },
    { name: "bash", frame: { type: "bash" }, field: "command" },
    { name: "fork", frame: { type: "fork" }, field: "entryId" },
    { name: "set_model", frame: { type: "set_model", provider: "a" }, field: "modelId" },
    { name: "set_auto_retry", frame: { type: "set_auto_retry" }, field: "enabled" },
  ])("refuses $name without a field that it needs", ({ name, frame, field }) => {
    expect(refused(frame)).toEqual({
      code: "invalid_command",
      error: `Cannot run "${name}": ${field}: a required field is missing`,
    });
  });

  test.each([
    {
      name: "switch_session, whose path is the host's",
      frame: { type: "switch_session", sessionPath: "/etc/passwd" },
      code: "unknown_command",
    },
    {
      name: "export_html with a path of the host",
      frame: { type: "export_html", outputPath: "/root/.bashrc" },
      code: "invalid_command",
    },
    {
      name: "new_session with a path of the host",
      frame: { type: "new_session", parentSession: "/etc/passwd" },
      code: "invalid_command",
    },
    { name: "what pi does not know either", frame: { type: "nonsense" }, code: "unknown_command" },
    {
      name: "auth, after the first frame",
      frame: { type: "auth", token: "x" },
      code: "unknown_command",
    },
    { name: "response, which is pi's own", frame: { type: "response" }, code: "unknown_command" },
    { name: "an empty type", frame: { type: "" }, code: "unknown_command" },
    { name: "another case", frame: { type: "PROMPT", message: "hi" }, code: "unknown_command" },
    { name: "a space behind", frame: { type: "abort " }, code: "unknown_command" },
    { name: "__proto__", frame: { type: "__proto__" }, code: "unknown_command" },
    { name: "constructor", frame: { type: "constructor" }, code: "unknown_command" },
    { name: "toString", frame: { type: "toString" }, code: "unknown_command" },
    { name: "hasOwnProperty", frame: { type: "hasOwnProperty" }, code: "unknown_command" },
    { name: "an empty message", frame: { type: "prompt", message: "" }, code: "invalid_command" },
    {
      name: "an empty bash command",
      frame: { type: "bash", command: "" },
      code: "invalid_command",
    },
    {
      name: "a way to queue that is none",
      frame: { type: "prompt", message: "a", streamingBehavior: "later" },
      code: "invalid_command",
    },
    {
      name: "an empty key",
      frame: { type: "prompt", message: "a", key: "" },
      code: "invalid_command",
    },
    {
      name: "a key of 129",
      frame: { type: "prompt", message: "a", key: "k".repeat(129) },
      code: "invalid_command",
    },
    {
      name: "a key with a space",
      frame: { type: "prompt", message: "a", key: "a b" },
      code: "invalid_command",
    },
    {
      name: "a key with a newline",
      frame: { type: "prompt", message: "a", key: "ab\n" },
      code: "invalid_command",
    },
    {
      name: "a key where none is taken",
      frame: { type: "steer", message: "a", key: "k" },
      code: "invalid_command",
    },
    {
      name: "a mode that is none",
      frame: { type: "set_steering_mode", mode: "some" },
      code: "invalid_command",
    },
    {
      name: "a thinking level that is no word",
      frame: { type: "set_thinking_level", level: "High" },
      code: "invalid_command",
    },
    {
      name: "a dialog answer cancelled: false",
      frame: { type: "extension_ui_response", cancelled: false },
      code: "invalid_command",
    },
    {
      name: "an empty session name",
      frame: { type: "set_session_name", name: "" },
      code: "invalid_command",
    },
    {
      name: "a session name of 1,001",
      frame: { type: "set_session_name", name: "n".repeat(1001) },
      code: "invalid_command",
    },
  ])("refuses $name", ({ frame, code }) => {
    expect(refused(frame).code).toBe(code as Refusal["code"]);
  });

  test.each([
    { name: "SVG, which runs scripts", image: { ...PNG, mimeType: "image/svg+xml" } },
    { name: "HTML", image: { ...PNG, mimeType: "text/html" } },
    { name: "no base64", image: { ...PNG, data: "%%%" } },
    { name: "base64url", image: { ...PNG, data: "a-_b" } },
    { name: "a data: URL", image: { ...PNG, data: "data:image/png;base64,iVBO" } },
    { name: "empty data", image: { ...PNG, data: "" } },
    { name: "another type", image: { ...PNG, type: "file" } },
    { name: "a path beside the data", image: { ...PNG, path: "/etc/passwd" } },
    { name: "both a vault path and data", image: { ...PNG, vault: "a.png" } },
    { name: "an empty vault path", image: { vault: "" } },
    { name: "a path of its own beside the vault's", image: { vault: "a.png", root: "/" } },
    { name: "a string", image: "a.png" },
    { name: "null", image: null },
  ])("refuses an image that is $name", ({ image }) => {
    for (const type of ["prompt", "steer", "follow_up"]) {
      expect(refused({ type, message: "look", images: [image] }).error).toStartWith(
        `Cannot run "${type}": images`,
      );
    }
  });

  test("takes five images and no more", () => {
    const images = Array.from({ length: 5 }, () => PNG);
    expect(accepted({ type: "prompt", message: "look", images }).fields["images"]).toHaveLength(5);
    expect(refused({ type: "prompt", message: "look", images: [...images, PNG] }).error).toContain(
      "at most 5",
    );
  });

  test("builds what passes anew: no prototype rides along in an image", () => {
    const image = JSON.parse('{"vault":"a.png","__proto__":{"path":"/etc"}}');
    const command = parse({ type: "prompt", message: "look", images: [image] });
    expect(isRefusal(command)).toBe(true);
    expect(({} as Record<string, unknown>)["path"]).toBeUndefined();
  });

  test("cuts what it repeats of a stranger's words", () => {
    const long = "x".repeat(10_000);
    expect(refused({ type: long }).error.length).toBeLessThan(120);
    expect(refused({ type: "abort", [long]: 1 }).error.length).toBeLessThan(120);
  });

  test("never repeats a field's value", () => {
    for (const frame of [
      { type: "prompt", message: "a", key: "secret words" },
      { type: "bash", command: "ls", excludeFromContext: "secret words" },
      { type: "set_steering_mode", mode: "secret words" },
      { type: "prompt", message: { text: "secret words" } },
    ]) {
      expect(refused(frame).error).not.toContain("secret");
    }
  });
});
