import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A package that the lockfile names. */
export interface LockedPackage {
  readonly name: string;
  readonly version: string;
  /** Subresource integrity, `sha512-…`. */
  readonly integrity: string;
  /** Keys of the lockfile that it depends on. */
  readonly dependsOn: readonly string[];
  /** Its folder below the project's. */
  readonly folder: string;
}

type Entry = readonly [id: string, registry: string, meta: Dependencies, integrity: string];
interface Dependencies {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * Everything that ships, by key of the lockfile: what `dependencies` and `optionalDependencies` reach. Development
 * packages are left out.
 */
export function shippedPackages(root: string): Map<string, LockedPackage> {
  const lock = Bun.JSONC.parse(readFileSync(join(root, "bun.lock"), "utf8")) as {
    workspaces: { "": Dependencies };
    packages: Record<string, Entry>;
  };
  const found = new Map<string, LockedPackage>();
  const visit = (key: string): void => {
    const entry = lock.packages[key];
    if (entry === undefined || found.has(key)) return;
    const [id, , meta, integrity] = entry;
    const at = id.lastIndexOf("@");
    const names = Object.keys({ ...meta.dependencies, ...meta.optionalDependencies });
    const dependsOn = names.map((name) => keyFor(key, name, lock.packages)).filter(isThere);
    found.set(key, {
      name: id.slice(0, at),
      version: id.slice(at + 1),
      integrity,
      dependsOn,
      folder: packageNames(key)
        .map((name) => `node_modules/${name}`)
        .join("/"),
    });
    for (const other of dependsOn) visit(other);
  };
  const { dependencies, optionalDependencies } = lock.workspaces[""];
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) visit(name);
  return found;
}

const isThere = (key: string | undefined): key is string => key !== undefined;

/** As a package is looked up: in the parent's own folder first, then further out. */
function keyFor(
  parent: string,
  name: string,
  packages: Readonly<Record<string, Entry>>,
): string | undefined {
  const path = packageNames(parent);
  for (let depth = path.length; depth >= 0; depth--) {
    const key = [...path.slice(0, depth), name].join("/");
    if (packages[key] !== undefined) return key;
  }
  return undefined;
}

/** `@a/b/c` is the package `c` inside of `@a/b`. */
export function packageNames(key: string): string[] {
  return key.match(/@[^/]+\/[^/]+|[^/]+/g) ?? [];
}
