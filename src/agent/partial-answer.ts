import type { Journal } from "./journal.ts";

/** Longest text that is given back, UTF-16 code units. */
const MAX_LENGTH = 256 * 1024;

/**
 * What the agent was writing when prompt `id` was cut off: the text since its last finished message. pi forgets it, the
 * journal has it as deltas. Empty if there was none or its events are no longer kept.
 *
 * @param seq - number of an event before the prompt began
 */
export function partialAnswer(journal: Journal, id: string, seq: number): string {
  let text = "";
  let isWithin = false;
  for (let entry = journal.after(seq); entry !== undefined; entry = journal.after(entry.seq)) {
    const { frame } = entry;
    if (!isWithin) {
      isWithin = frame.includes(`"event":{"type":"prompt_begun","prompt":"${id}"`);
    } else if (frame.includes(`"event":{"type":"prompt_interrupted","prompt":"${id}"`)) {
      break;
    } else if (frame.includes('"event":{"type":"message_end"')) {
      text = "";
    } else if (frame.includes('"type":"text_delta"')) {
      const { event } = JSON.parse(frame) as {
        event: { assistantMessageEvent?: { type: string; delta?: unknown } };
      };
      const delta = event.assistantMessageEvent;
      if (delta?.type === "text_delta" && text.length < MAX_LENGTH) text += String(delta.delta);
    }
  }
  return isWithin ? text : "";
}
