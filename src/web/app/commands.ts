import { signal } from "@preact/signals";

/** Something that can be done by name. */
export interface Command {
  readonly id: string;
  readonly title: string;
  /** What it is about: a folder, a state. */
  readonly detail?: string;
  /** As `shortcuts.ts` writes them. */
  readonly keys?: string;
  readonly run: () => void;
}

/** Gives what fits a query; called with every stroke, so it should be quick or give up on `signal`. */
export type CommandSource = (
  query: string,
  signal: AbortSignal,
) => readonly Command[] | Promise<readonly Command[]>;

/** The palette's two lists: what can be done, and what can be opened. */
export type PaletteMode = "commands" | "files";

/** Which list is open. */
export const palette = signal<PaletteMode | undefined>(undefined);

const sources: Record<PaletteMode, CommandSource[]> = { commands: [], files: [] };

/** Adds to one of the palette's lists. */
export function addCommands(mode: PaletteMode, source: CommandSource): void {
  sources[mode].push(source);
}

/** All that fits, in the order of the sources; one that fails adds nothing. */
export async function findCommands(
  mode: PaletteMode,
  query: string,
  abort: AbortSignal,
): Promise<Command[]> {
  const found = await Promise.allSettled(sources[mode].map(async (source) => source(query, abort)));
  return found.flatMap((result) => (result.status === "fulfilled" ? result.value : []));
}

/** True if all letters of `query` occur in `text` in their order. */
export function fits(query: string, text: string): boolean {
  let at = 0;
  const inside = text.toLowerCase();
  for (const letter of query.toLowerCase().replaceAll(/\s+/g, "")) {
    at = inside.indexOf(letter, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
