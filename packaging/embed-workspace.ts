import { bundleWorkspace } from "../src/cli/bundle-workspace.ts";
import type { EmbeddedWorkspace } from "../src/cli/embedded-workspace.ts";

/** A plugin for `Bun.build` that puts the bundled workspace into the executable, in the place of an empty module. */
export async function embedWorkspace(): Promise<Bun.BunPlugin> {
  const { shell, files } = await bundleWorkspace({ brotliQuality: 11 });
  const embedded: EmbeddedWorkspace = {
    shell,
    files: [...files.values()].map((file) => ({
      path: file.path,
      type: file.type,
      hash: file.hash,
      bytes: file.bytes.toBase64(),
      brotli: file.brotli?.toBase64(),
      gzip: file.gzip?.toBase64(),
    })),
  };
  return {
    name: "embed-workspace",
    setup(build) {
      build.onLoad({ filter: /[/\\]src[/\\]cli[/\\]embedded-workspace\.ts$/ }, () => ({
        loader: "ts",
        contents: `export const embeddedWorkspace = ${JSON.stringify(embedded)};`,
      }));
    },
  };
}
