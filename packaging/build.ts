/**
 * Makes the single executable: `bun run build` for this machine (`dist/nest`), `--target linux-arm64` and so on for others
 * (`dist/nest-linux-arm64`), `--all` for all of them. Beside it `SHA256SUMS` and an SBOM, `nest.cdx.json`.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { embedWorkspace } from "./embed-workspace.ts";
import { licenceOf, licenceText } from "./licences.ts";
import { shippedPackages } from "./lockfile.ts";
import { sbom } from "./sbom.ts";
import { stage } from "./stage.ts";
import { fileNameOf, parseTarget, type Target, TARGETS } from "./targets.ts";

const root = join(import.meta.dir, "..");

const { values } = parseArgs({
  options: {
    target: { type: "string", multiple: true },
    all: { type: "boolean" },
    outdir: { type: "string", default: join(root, "dist") },
  },
});
const targets = values.all === true ? [...TARGETS] : (values.target ?? []).map(targetOf);
const out = values.outdir;
mkdirSync(out, { recursive: true });

const packages = shippedPackages(root);
const licences = [...packages.values()]
  .map((locked) => licenceOf(root, locked))
  .filter((licence) => licence !== undefined);
const staged = stage(
  root,
  join(root, "dist", "stage"),
  licenceText(readFileSync(join(root, "LICENSE"), "utf8"), licences),
);
const workspace = await embedWorkspace();
const define = {
  NEST_PI_DIR: staged.piDir,
  NEST_BUILD: {
    commit: commit(),
    pi: packages.get("@earendil-works/pi-coding-agent")?.version,
    packages: licences.map(({ name, version, spdx }) => `${name} ${version} ${spdx}`),
    licencesFile: staged.licencesFile,
  },
};

const made: string[] = [];
const failed: Target[] = [];
if (targets.length === 0) await compile(join(out, "nest"), undefined);
for (const target of targets) await compile(join(out, fileNameOf(target)), target);
rmSync(join(root, "dist", "stage"), { recursive: true, force: true });

const bom = sbom(
  { version: manifest.version, bun: Bun.version },
  packages,
  (locked) =>
    licences.find(({ name, version }) => name === locked.name && version === locked.version)?.spdx,
);
const bomFile = join(out, "nest.cdx.json");
writeFileSync(bomFile, `${JSON.stringify(bom, null, 2)}\n`);
const manFile = join(out, "nest.1");
copyFileSync(join(root, "docs/nest.1"), manFile);
const sums = [...made, bomFile, manFile].map((file) => {
  const digest = new Bun.CryptoHasher("sha256").update(readFileSync(file)).digest("hex");
  return `${digest}  ${basename(file)}\n`;
});
writeFileSync(join(out, "SHA256SUMS"), sums.join(""));
process.exit(failed.length > 0 ? 1 : 0);

async function compile(outfile: string, target: Target | undefined): Promise<void> {
  try {
    await Bun.build({
      entrypoints: [staged.entry],
      root,
      target: "bun",
      format: "esm",
      // What a start does not need is not even read: pi's eight megabytes above all.
      splitting: true,
      bytecode: true,
      // Names stay, for the log's stacks.
      minify: { whitespace: true, syntax: true, identifiers: false, keepNames: true },
      plugins: [workspace],
      // Embedded files keep their places: pi looks for them there.
      naming: { asset: "[dir]/[name].[ext]" },
      define: Object.fromEntries(
        Object.entries(define).map(([name, value]) => [name, JSON.stringify(value)]),
      ),
      compile: {
        outfile,
        ...(target !== undefined && { target }),
        autoloadDotenv: false,
        autoloadBunfig: false,
        autoloadTsconfig: false,
        autoloadPackageJson: false,
      },
    });
    if (!existsSync(outfile)) throw new Error("nothing was written");
    made.push(outfile);
    console.log(`${outfile}`);
  } catch (error) {
    if (target === undefined) throw error;
    failed.push(target);
    console.error(
      `${target}: not made. Bun ${Bun.version} for it must be fetched once, and could not: ${reasonOf(error)}`,
    );
  }
}

/** Bun's build errors carry what went wrong in a list. */
function reasonOf(error: unknown): string {
  const { message, errors = [] } = error as AggregateError;
  return [message, ...errors.map(String)].join("; ");
}

function targetOf(text: string): Target {
  const target = parseTarget(text);
  if (target !== undefined) return target;
  console.error(`build: no target "${text}"; there are ${TARGETS.join(", ")}`);
  process.exit(2);
}

/** Commit of the source, with a mark if files differ from it. */
function commit(): string {
  const git = (...args: string[]) => Bun.spawnSync(["git", ...args], { cwd: root });
  const head = git("rev-parse", "HEAD");
  if (!head.success) return "unknown";
  const isClean = git("status", "--porcelain").stdout.length === 0;
  return `${head.stdout.toString().trim()}${isClean ? "" : "-modified"}`;
}
