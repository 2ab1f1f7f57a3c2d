import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { LockedPackage } from "./lockfile.ts";

/** Licence of an installed package. */
export interface Licence {
  readonly name: string;
  readonly version: string;
  /** SPDX expression as the package states it, or `unknown`. */
  readonly spdx: string;
  /** Its licence files; empty if it has none. */
  readonly text: string;
}

/** @returns `undefined` for what is not installed here: packages of other platforms */
export function licenceOf(
  root: string,
  { name, version, folder }: LockedPackage,
): Licence | undefined {
  const dir = join(root, folder);
  const manifestFile = join(dir, "package.json");
  if (!existsSync(manifestFile)) return undefined;
  const { license } = JSON.parse(readFileSync(manifestFile, "utf8")) as {
    license?: string | { type?: string };
  };
  const spdx = typeof license === "string" ? license : (license?.type ?? "unknown");
  const files = readdirSync(dir).filter((file) => /^(?:licen[cs]e|notice|copying)\b/i.test(file));
  const text = files.map((file) => readFileSync(join(dir, file), "utf8").trim()).join("\n\n");
  return { name, version, spdx, text };
}

/** All licences in one text; equal ones stand once, below the packages they are of. */
export function licenceText(own: string, licences: readonly Licence[]): string {
  const byText = new Map<string, Licence[]>();
  for (const licence of licences) {
    const list = byText.get(licence.text);
    if (list === undefined) byText.set(licence.text, [licence]);
    else list.push(licence);
  }
  const parts = [...byText].map(([text, list]) => {
    const names = list.map(({ name, version, spdx }) => `${name} ${version} (${spdx})`);
    return `${names.join("\n")}\n\n${text === "" ? "The package brings no licence text." : text}`;
  });
  return [`Nest\n\n${own.trim()}`, ...parts].join(`\n\n${"-".repeat(80)}\n\n`) + "\n";
}
