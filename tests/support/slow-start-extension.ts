import type { ExtensionAPI } from "@earendil-works/pi-coding-agent";

/** An extension for pi that takes its time before every turn, as one that looks something up does. */
// oxlint-disable-next-line import/no-default-export -- the shape that pi loads
export default function slow(pi: ExtensionAPI): void {
  pi.on("before_agent_start", async () => {
    await Bun.sleep(150);
  });
}
