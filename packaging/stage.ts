import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";

/** What the executable carries besides code. */
export interface Stage {
  /** The entry to compile. */
  readonly entry: string;
  /** Folder of pi's files inside the executable. */
  readonly piDir: string;
  readonly licencesFile: string;
}

/** Root of embedded files in an executable of Bun's, on Linux and macOS. */
const EMBEDDED_ROOT = "/$bunfs/root";

/**
 * Lays out pi's files as pi expects them beside an executable (its own `copy-binary-assets`), and an entry that embeds
 * them under the very same names.
 *
 * @param root - the project
 * @param dir - is made anew
 */
export function stage(root: string, dir: string, licences: string): Stage {
  const pi = join(root, "node_modules/@earendil-works/pi-coding-agent");
  const files = join(dir, "pi");
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(files, { recursive: true });
  const copy = (from: string, to: string) =>
    cpSync(join(pi, from), join(files, to), {
      recursive: true,
      filter: (path) => !/\.(?:d\.ts|map)$/.test(path) && !/theme\/.*\.js$/.test(path),
    });
  copy("package.json", "package.json");
  copy("README.md", "README.md");
  copy("docs", "docs");
  copy("dist/modes/interactive/theme", "theme");
  for (const name of ["template.html", "template.css", "template.js", "vendor"])
    copy(`dist/core/export-html/${name}`, `export-html/${name}`);
  cpSync(
    join(root, "node_modules/@silvia-odwyer/photon-node/photon_rs_bg.wasm"),
    join(files, "photon_rs_bg.wasm"),
  );
  cpSync(join(root, "src/agent/scripted-model.ts"), join(files, "scripted-model.ts"));
  writeFileSync(join(dir, "licences.txt"), licences);

  const embedded = readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)))
    .toSorted();
  const lines = embedded.map(
    (path) => `import ${JSON.stringify(`./${path}`)} with { type: "file" };`,
  );
  const main = relative(dir, join(root, "packaging/executable.ts"));
  const entry = join(dir, "nest.ts");
  writeFileSync(entry, [...lines, `import ${JSON.stringify(main)};`, ""].join("\n"));
  const inside = `${EMBEDDED_ROOT}/${relative(root, dir)}`;
  return { entry, piDir: `${inside}/pi`, licencesFile: `${inside}/licences.txt` };
}
