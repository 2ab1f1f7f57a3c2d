import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { BASE_MARK, type Workspace, type WorkspaceFile } from "../http/workspace.ts";

export interface BundleOptions {
  /** 0 to 11: 5 takes some 30 ms for all, 11 a second and saves a tenth. */
  readonly brotliQuality: number;
}

const WEB = join(import.meta.dir, "..", "web");

/** Files that are sent as they are, beside the bundle. */
const STATIC = ["manifest.webmanifest", "icon.svg", "icon-192.png", "icon-512.png"];

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
  webmanifest: "application/manifest+json",
};

/**
 * Bundles the browser's code: one script and one style sheet for the first load, chunks for what is loaded when needed,
 * each named after its content.
 *
 * @throws {AggregateError} if it can't be bundled
 */
export async function bundleWorkspace({ brotliQuality }: BundleOptions): Promise<Workspace> {
  const common = {
    target: "browser",
    format: "esm",
    minify: true,
    env: "disable",
    define: { "process.env.NODE_ENV": '"production"' },
    jsx: { runtime: "automatic", importSource: "preact", development: false },
    throw: true,
  } as const;
  const build = await Bun.build({
    ...common,
    entrypoints: [join(WEB, "main.tsx"), join(WEB, "style", "workspace.css")],
    root: WEB,
    splitting: true,
    naming: {
      entry: "assets/[name]-[hash].[ext]",
      chunk: "assets/[name]-[hash].[ext]",
      asset: "assets/[name]-[hash].[ext]",
    },
  });
  const pathOf = ({ path }: { path: string }) => path.replace(/^\.?\//, "");
  const entry = (kind: "js" | "css") => {
    const found = build.outputs.find(
      (output) => output.kind !== "chunk" && new RegExp(`\\.${kind}$`).test(output.path),
    );
    if (found === undefined) throw new Error(`the bundle has no ${kind}`);
    return pathOf(found);
  };
  const shell = (await readFile(join(WEB, "shell.html"), "utf8"))
    .replaceAll("{{script}}", `${BASE_MARK}${entry("js")}`)
    .replaceAll("{{style}}", `${BASE_MARK}${entry("css")}`);
  const worker = await Bun.build({
    ...common,
    entrypoints: [join(WEB, "worker", "offline-shell.ts")],
    // Changes with every other file, so that browsers take a new one notice of it.
    define: { ...common.define, BUILD: JSON.stringify(hashOf(new TextEncoder().encode(shell))) },
    format: "iife",
    naming: "sw.[ext]",
  });
  const parts = [
    ...(await Promise.all(
      [...build.outputs, ...worker.outputs].map(async (output) => ({
        path: pathOf(output),
        bytes: new Uint8Array(await output.arrayBuffer()),
      })),
    )),
    ...(await Promise.all(
      STATIC.map(async (path) => ({
        path,
        bytes: new Uint8Array(await readFile(join(WEB, path))),
      })),
    )),
  ];
  const files = await Promise.all(
    parts.map(({ path, bytes }) => fileOf(path, bytes, brotliQuality)),
  );
  return { shell, files: new Map(files.map((file) => [file.path, file])) };
}

const brotliAsync = promisify(brotliCompress);
const gzipAsync = promisify(gzip);

async function fileOf(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
  quality: number,
): Promise<WorkspaceFile> {
  const extension = path.slice(path.lastIndexOf(".") + 1);
  const file = {
    path,
    type: TYPES[extension] ?? "application/octet-stream",
    bytes,
    hash: hashOf(bytes),
  };
  if (extension === "png") return file;
  const [brotli, zipped] = await Promise.all([
    brotliAsync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: quality } }),
    gzipAsync(bytes, { level: 9 }),
  ]);
  return { ...file, brotli: new Uint8Array(brotli), gzip: new Uint8Array(zipped) };
}

function hashOf(bytes: Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(bytes).digest("hex").slice(0, 32);
}
