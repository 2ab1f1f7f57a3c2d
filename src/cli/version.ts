import { readFileSync } from "node:fs";
import manifest from "../../package.json" with { type: "json" };

/** Version of Nest. */
export const VERSION: string = manifest.version;

/** What the build knows (`packaging/build.ts`); not there when run from source. */
declare const NEST_BUILD:
  | {
      readonly commit: string;
      readonly pi?: string;
      /** `name version licence`, a package each. */
      readonly packages: readonly string[];
      readonly licencesFile: string;
    }
  | undefined;

/** `nest --version --verbose` */
export function verboseVersion(): string {
  const build = typeof NEST_BUILD === "undefined" ? undefined : NEST_BUILD;
  const rows = [
    ["nest", VERSION],
    ["commit", build?.commit ?? "run from source"],
    ["bun", Bun.version],
    ["pi", build?.pi ?? manifest.optionalDependencies["@earendil-works/pi-coding-agent"]],
    ["system", `${process.platform} ${process.arch}`],
  ];
  const lines = rows.map(([name = "", value]) => `${name.padEnd(8)}${value}`);
  if (build === undefined) return lines.join("\n");
  return [
    ...lines,
    "",
    "Nest is under the MIT licence. It holds these packages (texts: nest --version --licences):",
    "",
    ...build.packages.map((line) => `  ${line}`),
  ].join("\n");
}

/** `nest --version --licences`: their full texts. */
export function licences(): string {
  if (typeof NEST_BUILD === "undefined")
    return "Run from source: the licence of each package lies in its folder in node_modules.";
  return readFileSync(NEST_BUILD.licencesFile, "utf8");
}
