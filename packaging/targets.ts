/** Platforms that an executable can be made for: Bun's own (`bun build --compile --target`). */
export const TARGETS = [
  "bun-linux-x64",
  "bun-linux-arm64",
  "bun-linux-x64-musl",
  "bun-linux-arm64-musl",
  "bun-darwin-x64",
  "bun-darwin-arm64",
] as const;

export type Target = (typeof TARGETS)[number];

/** `linux-x64` and `bun-linux-x64` alike; `undefined` for what is none. */
export function parseTarget(text: string): Target | undefined {
  const name = text.startsWith("bun-") ? text : `bun-${text}`;
  return TARGETS.find((target) => target === name);
}

/** File name of a target's executable. */
export function fileNameOf(target: Target): string {
  return target.replace(/^bun-/, "nest-");
}
