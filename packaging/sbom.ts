import type { LockedPackage } from "./lockfile.ts";

/** CycloneDX 1.6 (ECMA-424) of what ships, from the lockfile alone: the same lockfile gives the same file. */
export function sbom(
  nest: { readonly version: string; readonly bun: string },
  packages: ReadonlyMap<string, LockedPackage>,
  spdxOf: (locked: LockedPackage) => string | undefined,
): object {
  const roots = [...packages.keys()].filter(
    (key) => ![...packages.values()].some(({ dependsOn }) => dependsOn.includes(key)),
  );
  const root = `pkg:generic/nest@${nest.version}`;
  const bun = `pkg:generic/bun@${nest.bun}`;
  return {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      component: { type: "application", "bom-ref": root, name: "nest", version: nest.version },
    },
    components: [
      { type: "platform", "bom-ref": bun, name: "bun", version: nest.bun },
      ...[...packages].map(([key, locked]) => component(key, locked, spdxOf(locked))),
    ],
    dependencies: [
      { ref: root, dependsOn: [bun, ...roots.map(refOf(packages))] },
      ...[...packages].map(([key, { dependsOn }]) => ({
        ref: refOf(packages)(key),
        dependsOn: dependsOn.map(refOf(packages)),
      })),
    ],
  };
}

function component(key: string, { name, version, integrity }: LockedPackage, spdx?: string) {
  const [group, plain] = name.startsWith("@") ? name.split("/") : [undefined, name];
  const [algorithm, hash] = integrity.split("-", 2);
  return {
    type: "library",
    "bom-ref": `${purl(name, version)}#${key}`,
    ...(group !== undefined && { group }),
    name: plain,
    version,
    purl: purl(name, version),
    ...(algorithm === "sha512" &&
      hash !== undefined && {
        hashes: [{ alg: "SHA-512", content: Buffer.from(hash, "base64").toString("hex") }],
      }),
    ...(spdx !== undefined && spdx !== "unknown" && { licenses: [{ expression: spdx }] }),
  };
}

const refOf = (packages: ReadonlyMap<string, LockedPackage>) => (key: string) => {
  const { name, version } = packages.get(key) as LockedPackage;
  return `${purl(name, version)}#${key}`;
};

/** https://github.com/package-url/purl-spec, type npm. */
function purl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}
