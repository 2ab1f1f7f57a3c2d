import type { ExtensionAPI } from "@earendil-works/pi-coding-agent";

/** An extension for pi that asks one question on `/ask` and says what was picked. */
// oxlint-disable-next-line import/no-default-export -- the shape that pi loads
export default function ask(pi: ExtensionAPI): void {
  pi.registerCommand("ask", {
    description: "asks",
    handler: async (_, { ui }) => {
      const picked = await ui.select("Pick", ["red", "blue"]);
      ui.notify(`picked ${picked}`, "info");
    },
  });
}
