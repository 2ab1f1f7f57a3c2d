import { join } from "node:path";
import { pinned } from "./pinning.ts";

/** How `fake-pi.ts` is run, on the client's core: what it costs is not the server's. */
export const FAKE_AGENT: readonly string[] = pinned("client", [
  process.execPath,
  "--no-env-file",
  "--config=/dev/null",
  join(import.meta.dir, "fake-pi.ts"),
]);
