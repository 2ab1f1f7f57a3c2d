import * as v from "valibot";

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

/** Fields of each; what it asks for stands in `auth/permissions.ts`. */
const TABLE = {
  prompt: {
    message,
    images,
    streamingBehavior: v.optional(
      v.picklist(["steer", "followUp"], 'expected "steer" or "followUp"'),
    ),
    /** Idempotency key: a prompt with a key that was accepted before is not run again. */
    key: v.optional(
      v.pipe(string, v.regex(/^[\x21-\x7e]{1,128}$/, "expected 1 to 128 printable characters")),
    ),
  },
  /** Ours: runs a prompt again that was cut off, by its id. */
  retry_prompt: { prompt: name },
  steer: { message, images },
  follow_up: { message, images },
  abort: {},
  get_state: {},
  get_messages: {},
  get_last_assistant_text: {},
  get_session_stats: {},
  abort_bash: {},
  abort_retry: {},
  bash: {
    command: message,
    excludeFromContext: v.optional(v.boolean("expected true or false")),
  },
  clear_queue: {},
  clone: {},
  compact: { customInstructions: v.optional(string) },
  cycle_model: {},
  cycle_thinking_level: {},
  export_html: {},
  fork: { entryId: name },
  get_available_models: {},
  get_available_thinking_levels: {},
  get_commands: {},
  get_entries: { since: v.optional(name) },
  get_fork_messages: {},
  get_tree: {},
  new_session: {},
  set_auto_compaction: { enabled: v.boolean("expected true or false") },
  set_auto_retry: { enabled: v.boolean("expected true or false") },
  set_follow_up_mode: { mode: queueMode },
  set_model: { provider: name, modelId: name },
  set_session_name: { name },
  set_steering_mode: { mode: queueMode },
  set_thinking_level: { level },
  extension_ui_response: {
    value: v.optional(string),
    confirmed: v.optional(v.boolean("expected true or false")),
    cancelled: v.optional(v.literal(true, "expected true")),
  },
} satisfies Record<string, v.ObjectEntries>;

export type CommandType = keyof typeof TABLE;

/** A command that may be passed on: known type, known fields, of the right shapes. `id` is the sender's own. */
export interface Command {
  readonly type: CommandType;
  readonly id?: string | number;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Why a command is not passed on. */
export interface Refusal {
  readonly code: "unknown_command" | "invalid_command";
  readonly error: string;
}

const schemas = new Map<string, v.GenericSchema>(
  Object.entries(TABLE).map(([type, fields]) => [type, v.strictObject(fields as v.ObjectEntries)]),
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
  const schema = schemas.get(type);
  if (schema === undefined) {
    return { code: "unknown_command", error: `Cannot run "${type.slice(0, 64)}": no such command` };
  }
  const parsed = v.safeParse(schema, fields, { abortEarly: true });
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
    ...(id !== undefined && { id }),
    fields: parsed.output as Record<string, unknown>,
  };
}

/** True if the command was refused. */
export function isRefusal(command: Command | Refusal): command is Refusal {
  return "error" in command;
}
