import { userMessagesBehind } from "./conversation-files.ts";
import { isPromptText, type Prompt, textHash } from "./prompt.ts";

/**
 * Which prompts stand in pi's own files: those it had begun. Each line there is one prompt's, so of two that say the
 * same the first gets the first.
 *
 * @param dir - where pi keeps the session's conversations
 * @param passed - the newest that were passed to a pi, whatever became of them, oldest first
 */
export function writtenDown(dir: string, passed: readonly Prompt[]): Set<Prompt> {
  const found = new Set<Prompt>();
  const messages = new Set(userMessagesBehind(dir, passed[0]?.sizes ?? {}));
  for (const prompt of passed) {
    for (const message of messages) {
      if (message.at < (prompt.sizes[message.path] ?? 0)) continue;
      if (!isIts(prompt, message.text)) continue;
      found.add(prompt);
      messages.delete(message);
      break;
    }
  }
  return found;
}

/** Of one that is over only the hash of its text is left. */
function isIts(prompt: Prompt, text: string): boolean {
  return prompt.content === undefined
    ? textHash(text) === prompt.textHash
    : isPromptText(prompt, text);
}
