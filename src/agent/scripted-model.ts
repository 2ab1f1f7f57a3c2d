import {
  fauxAssistantMessage,
  fauxProvider,
  fauxText,
  fauxThinking,
  fauxToolCall,
} from "@earendil-works/pi-ai";
import type { ExtensionAPI } from "@earendil-works/pi-coding-agent";

/**
 * An extension for pi (`-e scripted-model.ts`) that answers without a network or a key, on pi's own scripted provider:
 * everything else (deltas, tools, sessions, queues) is the real thing. It runs inside pi's process.
 *
 * A plain prompt gets a short tour with one harmless tool call. A prompt can also script the model, a directive a
 * line, which is what the tests do:
 *
 *     @tool NAME {"json": "arguments"}    call that tool; several are called one turn after another
 *     @think TEXT                         thinking before the first answer
 *     @say TEXT                           the final text
 *     @repeat N                           the final text N times
 */
export default function scriptedModel(pi: ExtensionAPI): void {
  const faux = fauxProvider({
    provider: SCRIPTED_PROVIDER,
    models: [{ id: SCRIPTED_MODEL, name: "Scripted (no real model)" }],
    tokensPerSecond: 200,
  });
  const answer: Parameters<typeof faux.setResponses>[0][number] = (context) => {
    // One answer always waits, so that the script never ends.
    faux.appendResponses([answer]);
    const messages = context.messages as readonly Message[];
    const lastUser = messages.findLastIndex((message) => message.role === "user");
    const results = messages.slice(lastUser + 1).filter((message) => message.role === "toolResult");
    return play(textOf(messages[lastUser]), results.map(textOf));
  };
  faux.setResponses([answer]);
  pi.registerProvider(faux.provider);
}

const SCRIPTED_PROVIDER = "nest-scripted";
const SCRIPTED_MODEL = "scripted-1";

type Arguments = Parameters<typeof fauxToolCall>[1];

interface Message {
  readonly role: string;
  readonly content: string | readonly { readonly type: string; readonly text?: string }[];
}

function textOf(message: Message | undefined): string {
  if (message === undefined) return "";
  if (typeof message.content === "string") return message.content;
  return message.content.map((part) => part.text ?? "").join("");
}

const TOUR_CALL = { name: "bash", args: { command: "ls" } };

function play(prompt: string, results: readonly string[]) {
  // Lines end at LF alone: `^`, `$` and `.` of a pattern would also stop at U+2028.
  const lines = prompt.split("\n");
  const directives = (name: string) =>
    lines
      .filter((line) => line.startsWith(`@${name} `))
      .map((line) => line.slice(name.length + 2).trim());
  const calls = directives("tool").map(toolCall);
  const say = directives("say")[0];
  const isScripted = calls.length > 0 || say !== undefined;
  const next = isScripted ? calls[results.length] : [TOUR_CALL][results.length];
  const [thought] = results.length === 0 ? directives("think") : [];
  const thinking = thought === undefined ? [] : [fauxThinking(thought)];
  if (next !== undefined) {
    const text = isScripted
      ? `Calling ${next.name}.`
      : "This is the scripted model, not a real one. Looking at the vault with one tool call:";
    return fauxAssistantMessage([...thinking, fauxText(text), fauxToolCall(next.name, next.args)], {
      stopReason: "toolUse",
    });
  }
  const text =
    say ??
    (isScripted
      ? `Done. The last tool said: ${results.at(-1)?.trim() ?? ""}`
      : tour(prompt, results.at(-1) ?? ""));
  const times = Number(directives("repeat")[0] ?? 1);
  return fauxAssistantMessage([...thinking, fauxText(Array<string>(times).fill(text).join(" "))]);
}

function toolCall(line: string): { name: string; args: Arguments } {
  const space = line.indexOf(" ");
  if (space === -1) return { name: line, args: {} };
  try {
    return { name: line.slice(0, space), args: JSON.parse(line.slice(space + 1)) as Arguments };
  } catch {
    return { name: line.slice(0, space), args: { invalid: line.slice(space + 1) } };
  }
}

function tour(prompt: string, listing: string): string {
  const names = listing.split("\n").filter((line) => line !== "");
  return [
    `You said: ${prompt.split("\n")[0]?.slice(0, 200) ?? ""}`,
    "",
    `That was a real \`ls\` in your vault; it holds ${names.length === 1 ? "one entry" : `${names.length} entries`}. The words, though, come from a script: no model was asked and nothing left this machine.`,
    "",
    "For a real one, give Nest a key, for instance ANTHROPIC_API_KEY or OPENAI_API_KEY in its environment, and start it again without --demo.",
  ].join("\n");
}
