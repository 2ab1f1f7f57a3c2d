/** How many colours a terminal has. */
export type ColourDepth = "none" | "16" | "256" | "true";

export type Style = (text: string) => string;

/** The styles of the terminal client: one accent, dim for what is secondary, colours for state alone. */
export interface Palette {
  readonly accent: Style;
  readonly dim: Style;
  readonly bold: Style;
  readonly italic: Style;
  readonly underline: Style;
  readonly strike: Style;
  readonly good: Style;
  readonly bad: Style;
  readonly inverse: Style;
}

/**
 * @param env - `NO_COLOR` (no-color.org: any value but empty), `COLORTERM`, `TERM`
 */
export function colourDepth(env: Readonly<Record<string, string | undefined>>): ColourDepth {
  if ((env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb") return "none";
  if (/^(?:truecolor|24bit)$/.test(env["COLORTERM"] ?? "")) return "true";
  return /256color|kitty|ghostty|alacritty/.test(env["TERM"] ?? "") ? "256" : "16";
}

export function palette(depth: ColourDepth): Palette {
  const sgr =
    (on: string, off: number): Style =>
    (text) =>
      text === "" ? "" : `\x1b[${on}m${text}\x1b[${off}m`;
  const colour = (rgb: string, indexed: string, basic: string): Style =>
    depth === "none"
      ? (text) => text
      : sgr(depth === "true" ? `38;2;${rgb}` : depth === "256" ? `38;5;${indexed}` : basic, 39);
  return {
    // A nest's amber, on dark and on light ground.
    accent: colour("200;132;28", "172", "33"),
    good: colour("88;148;72", "65", "32"),
    bad: colour("206;76;66", "167", "31"),
    // Grey by colour where there are enough: faint text is unreadable in some terminals.
    dim: depth === "none" || depth === "16" ? sgr("2", 22) : colour("132;128;122", "244", "90"),
    bold: sgr("1", 22),
    italic: sgr("3", 23),
    underline: sgr("4", 24),
    strike: sgr("9", 29),
    inverse: sgr("7", 27),
  };
}
