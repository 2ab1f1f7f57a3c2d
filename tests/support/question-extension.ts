import type { ExtensionAPI } from "@earendil-works/pi-coding-agent";

/** An extension for pi that asks in all four ways on `/questions` and says what it was told. */
// oxlint-disable-next-line import/no-default-export -- the shape that pi loads
export default function questions(pi: ExtensionAPI): void {
  pi.registerCommand("questions", {
    description: "asks",
    handler: async (_, { ui }) => {
      const sure = await ui.confirm("Delete draft.md?", "It can't be undone");
      const colour = await ui.select("Pick a colour", ["red", "<img src=x onerror=alert(1)>"]);
      const name = await ui.input("Your name?", "type here");
      const text = await ui.editor("Mend this", "a prefill");
      ui.notify(`told: ${JSON.stringify([sure, colour, name, text])}`, "info");
    },
  });
}
