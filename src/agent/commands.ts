import * as v from "valibot";
import type { Scope } from "../auth/principal.ts";

/**
 * The commands that clients may send to a session: pi's RPC commands (0.87.1) without those that take paths of the
 * host (`switch_session`, `export_html` with a path, `new_session` with a parent) and without fields we don't know.
 * What passes is built anew from known fields, so nothing rides along; a line that pi dies of (`null`) never arises.
 */

const string = v.string("expected a string");
const message = v.pipe(v.string("expected a string"), v.nonEmpty("expected some text"));
const name = v.pipe(
  string,
  v.nonEmpty("expected a name"),
  v.maxLength(1000, "expected at most 1000 characters"),
);
const queueMode = v.picklist(["all", "one-at-a-time"], 'expected "all" or "one-at-a-time"');
const level = v.pipe(string, v.regex(/^[a-z]{1,16}$/, "expected a thinking level, like low"));

const inlineImage = v.strictObject(
  {
    type: v.literal("image", 'expected "image"'),
    /** Base64, RFC 4648 section 4. */
    data: v.pipe(string, v.regex(/^[A-Za-z0-9+/]+={0,2}$/, "expected base64")),
    mimeType: v.picklist(
      ["image/png", "image/jpeg", "image/gif", "image/webp"],
      "expected image/png, image/jpeg, image/gif or image/webp",
    ),
  },
  'expected {type: "image", data, mimeType}',
);
/** An image that lies in the vault, by its path there: frames are too small for most. */
const vaultImage = v.strictObject({ vault: name }, 'expected {vault: "path/in/the/vault.png"}');
const image = v.union(
  [vaultImage, inlineImage],
  'expected {vault: "path/in/the/vault.png"} or {type: "image", data, mimeType}',
);
export type Image = v.InferOutput<typeof image>;
export type InlineImage = v.InferOutput<typeof inlineImage>;
const images = v.optional(
  v.pipe(v.array(image, "expected a list of images"), v.maxLength(5, "expected at most 5")),
);

interface Row {
  /** The least that a token must be allowed: `prompt` may talk and read, `attach` may do everything. */
  readonly scope: Extract<Scope, "prompt" | "attach">;
  readonly fields: v.ObjectEntries;
}

const talk = (fields: v.ObjectEntries = {}): Row => ({ scope: "prompt", fields });
const control = (fields: v.ObjectEntries = {}): Row => ({ scope: "attach", fields });

const TABLE = {
  prompt: talk({
    message,
    images,
    streamingBehavior: v.optional(
      v.picklist(["steer", "followUp"], 'expected "steer" or "followUp"'),
    ),
    /** Idempotency key: a prompt with a key that was accepted before is not run again. */
    key: v.optional(
      v.pipe(string, v.regex(/^[\x21-\x7e]{1,128}$/, "expected 1 to 128 printable characters")),
    ),
  }),
  /** Ours: runs a prompt again that was cut off, by its id. */
  retry_prompt: talk({ prompt: name }),
  steer: talk({ message, images }),
  follow_up: talk({ message, images }),
  abort: talk(),
  get_state: talk(),
  get_messages: talk(),
  get_last_assistant_text: talk(),
  get_session_stats: talk(),
  abort_bash: control(),
  abort_retry: control(),
  bash: control({
    command: message,
    excludeFromContext: v.optional(v.boolean("expected true or false")),
  }),
  clear_queue: control(),
  clone: control(),
  compact: control({ customInstructions: v.optional(string) }),
  cycle_model: control(),
  cycle_thinking_level: control(),
  export_html: control(),
  fork: control({ entryId: name }),
  get_available_models: control(),
  get_available_thinking_levels: control(),
  get_commands: control(),
  get_entries: control({ since: v.optional(name) }),
  get_fork_messages: control(),
  get_tree: control(),
  new_session: control(),
  set_auto_compaction: control({ enabled: v.boolean("expected true or false") }),
  set_auto_retry: control({ enabled: v.boolean("expected true or false") }),
  set_follow_up_mode: control({ mode: queueMode }),
  set_model: control({ provider: name, modelId: name }),
  set_session_name: control({ name }),
  set_steering_mode: control({ mode: queueMode }),
  set_thinking_level: control({ level }),
  extension_ui_response: control({
    value: v.optional(string),
    confirmed: v.optional(v.boolean("expected true or false")),
    cancelled: v.optional(v.literal(true, "expected true")),
  }),
} satisfies Record<string, Row>;

export type CommandType = keyof typeof TABLE;

/** A command that may be passed on: known type, known fields, of the right shapes. `id` is the sender's own. */
export interface Command {
  readonly type: CommandType;
  readonly scope: Row["scope"];
  readonly id?: string | number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Why a command is not passed on. */
export interface Refusal {
  readonly code: "unknown_command" | "invalid_command";
  readonly error: string;
}

const schemas = new Map<string, { scope: Row["scope"]; schema: v.GenericSchema }>(
  Object.entries(TABLE).map(([type, { scope, fields }]) => [
    type,
    { scope, schema: v.strictObject(fields as v.ObjectEntries) },
  ]),
);

/**
 * Checks a command that a client sent.
 *
 * @param frame - a JSON object with a string `type`
 * @param id - its `id`, already checked
 */
export function parseCommand(
  { type, id: _, ...fields }: Readonly<Record<string, unknown>> & { readonly type: string },
  id: string | number | undefined,
): Command | Refusal {
  const row = schemas.get(type);
  if (row === undefined) {
    return { code: "unknown_command", error: `Cannot run "${type.slice(0, 64)}": no such command` };
  }
  const parsed = v.safeParse(row.schema, fields, { abortEarly: true });
  if (!parsed.success) {
    const [issue] = parsed.issues;
    const field = issue.path?.map((item) => String(item.key)).join(".") ?? "";
    const expected =
      issue.type === "strict_object" && issue.expected === "never"
        ? "no such field"
        : issue.message;
    const missing = issue.received === "undefined" ? "a required field is missing" : expected;
    return {
      code: "invalid_command",
      error: `Cannot run "${type}": ${field.slice(0, 64)}: ${missing}`,
    };
  }
  return {
    type: type as CommandType,
    scope: row.scope,
    ...(id !== undefined && { id }),
    fields: parsed.output as Record<string, unknown>,
  };
}

/** True if the command was refused. */
export function isRefusal(command: Command | Refusal): command is Refusal {
  return "error" in command;
}
