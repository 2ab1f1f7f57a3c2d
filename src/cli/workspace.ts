import type { Workspace, WorkspaceFile, WorkspaceSource } from "../http/workspace.ts";
import type { Log } from "../log/log.ts";
import { bundleWorkspace } from "./bundle-workspace.ts";
import { type EmbeddedWorkspace, embeddedWorkspace } from "./embedded-workspace.ts";

/**
 * The workspace: unpacked from the executable, or bundled from source, either when it is first asked for, so that the
 * start doesn't wait for it. A bundle that failed is tried again with the next request.
 */
export function workspaceSource(log: Log): WorkspaceSource {
  let made: Promise<Workspace> | undefined;
  return () => {
    made ??= load().catch((error: unknown) => {
      made = undefined;
      log.error("workspace_failed", { reason: String((error as Error).stack ?? error) });
      throw error;
    });
    return made;
  };
}

async function load(): Promise<Workspace> {
  return embeddedWorkspace === undefined
    ? await bundleWorkspace({ brotliQuality: 5 })
    : unpack(embeddedWorkspace);
}

function unpack({ shell, files }: EmbeddedWorkspace): Workspace {
  const unpacked = files.map(({ path, type, hash, bytes, brotli, gzip }): WorkspaceFile => ({
    path,
    type,
    hash,
    bytes: Uint8Array.fromBase64(bytes),
    ...(brotli !== undefined && { brotli: Uint8Array.fromBase64(brotli) }),
    ...(gzip !== undefined && { gzip: Uint8Array.fromBase64(gzip) }),
  }));
  return { shell, files: new Map(unpacked.map((file) => [file.path, file])) };
}
