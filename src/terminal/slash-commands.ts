/** Commands of the terminal itself; anything else that begins with `/` goes to pi's extensions. */
export const SLASH_COMMANDS = [
  { name: "help", description: "keys and commands" },
  { name: "sessions", description: "list sessions, and go to one" },
  { name: "session", argumentHint: "NAME", description: "go to a session" },
  { name: "model", description: "choose the model" },
  { name: "thinking", argumentHint: "LEVEL", description: "how long the model thinks" },
  {
    name: "attach",
    argumentHint: "PATH",
    description: "add an image or a file to the next prompt",
  },
  { name: "queue", description: "take back what waits to be sent" },
  { name: "stop", description: "stop the agent" },
  { name: "new", description: "begin a new conversation" },
  { name: "compact", description: "summarise the conversation to make room" },
  { name: "find", description: "search in the conversation" },
  { name: "quit", description: "leave; the agent goes on" },
] as const;

export type SlashName = (typeof SLASH_COMMANDS)[number]["name"];

/** `undefined` for a prompt, and for a command that is not the terminal's. */
export function parseSlash(text: string): { name: SlashName; argument: string } | undefined {
  const [, word, argument = ""] = /^\/([a-z]+)(?:\s+([^]*))?$/.exec(text) ?? [];
  const command = SLASH_COMMANDS.find(({ name }) => name === word);
  return command === undefined ? undefined : { name: command.name, argument: argument.trim() };
}

export const HELP_LINES = [
  "Enter         send; while the agent works: steer it",
  "Alt-Enter     while it works: queue for afterwards",
  "Shift-Enter   new line (also Ctrl-J)",
  "Esc           stop the agent, dropping what is queued",
  "Up            in an empty prompt: the last one",
  "Ctrl-O        open or fold all steps; a click opens one",
  "Ctrl-F        search the conversation",
  "PgUp, PgDn    scroll; so does the wheel",
  "@             a path of the vault",
  "Ctrl-C        clear the prompt; again: leave",
  "",
  ...SLASH_COMMANDS.map(
    ({ name, description, ...rest }) =>
      `/${name}${"argumentHint" in rest ? ` ${rest.argumentHint}` : ""}`.padEnd(18) + description,
  ),
];
