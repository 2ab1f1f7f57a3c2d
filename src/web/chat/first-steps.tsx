import type { Conversation } from "./conversation.ts";

const IDEAS = [
  "What is in my vault?",
  "Write a note called Ideas with three things to try this week.",
  "Read the welcome note and tell me what Nest can do.",
];

/** An empty conversation teaches what can be said. */
export function FirstSteps({ of: conversation }: { of: Conversation }) {
  return (
    <section class="first-steps">
      <h2>What shall we do?</h2>
      <p class="dim">
        The agent reads and writes the notes in your vault and runs commands there. Three things to
        try:
      </p>
      <ul class="plain-list">
        {IDEAS.map((idea) => (
          <li key={idea}>
            <button class="idea" onClick={() => (conversation.suggested.value = idea)}>
              {idea}
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
