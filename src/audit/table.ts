import type { Check } from "./check.ts";
import { summaryOf } from "./report.ts";
import type { Outcome, Result } from "./run.ts";

export type Style = (text: string) => string;

/** Colours of the table; none where there are none. */
export interface Styles {
  readonly good: Style;
  readonly bad: Style;
  readonly dim: Style;
  readonly bold: Style;
}

const plain: Style = (text) => text;
export const NO_STYLES: Styles = { good: plain, bad: plain, dim: plain, bold: plain };

const WORDS: Readonly<Record<Outcome, string>> = {
  held: "held",
  fell: "FELL",
  skipped: "skip",
  failed: "FAIL",
};

/** What servers, files and config say goes to a terminal: no control character acts there. */
export function harmless(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}]/gu, "\ufffd").slice(0, 300);
}

/** The results, group by group, a line each and more for what fell. */
export function resultTable(results: readonly Result[], styles: Styles): string {
  const lines: string[] = [];
  const width = Math.max(0, ...results.map(({ check }) => check.id.length));
  for (const group of ["config", "live", "surroundings"] as const) {
    const own = results.filter(({ check }) => check.group === group);
    if (own.length === 0) continue;
    lines.push(styles.bold(group));
    for (const { check, outcome, details } of own) {
      const isBad = outcome === "fell" || outcome === "failed";
      const word = WORDS[outcome];
      const style = isBad ? styles.bad : outcome === "held" ? styles.good : styles.dim;
      const title = outcome === "skipped" ? styles.dim(check.title) : check.title;
      lines.push(`  ${style(word)}  ${styles.dim(check.id.padEnd(width))}  ${title}`);
      if (outcome === "skipped")
        lines.push(styles.dim(`${" ".repeat(width + 10)}${harmless(details[0] ?? "")}`));
      if (!isBad) continue;
      for (const detail of details.slice(0, 8))
        lines.push(styles.bad(`${" ".repeat(width + 10)}${harmless(detail)}`));
      if (details.length > 8)
        lines.push(`${" ".repeat(width + 10)}… and ${details.length - 8} more`);
      if (outcome === "fell")
        lines.push(
          `${" ".repeat(width + 10)}${styles.dim(`${check.severity} · fix: ${check.fix}`)}`,
        );
    }
    lines.push("");
  }
  const { held, fell, skipped, failed } = summaryOf(results);
  const parts = [
    `${held} held`,
    `${fell} fell`,
    `${skipped} skipped`,
    ...(failed > 0 ? [`${failed} could not run`] : []),
  ];
  lines.push((fell + failed > 0 ? styles.bad : styles.good)(parts.join(", ")));
  if (fell > 0) lines.push(styles.dim("nest audit --explain ID tells more of one"));
  return lines.join("\n");
}

/** `nest audit --explain ID` */
export function explanation(check: Check, styles: Styles): string {
  const rows: [string, string][] = [
    ["Threat", check.threat],
    ["Impact", check.impact],
    ["Mitigation", check.mitigation],
    ["Attack", check.attack],
    ["Published", check.cases.join(", ")],
    ["Fix", check.fix],
    ["Test", check.test],
    ["Needs", check.needs.length === 0 ? "nothing" : check.needs.join(", ")],
  ];
  return [
    `${styles.bold(check.id)}  ${check.title}`,
    styles.dim(
      `${check.group}, ${check.severity}${check.locks ? ", locks addresses of its own" : ""}`,
    ),
    "",
    ...rows.map(([name, text]) => `${styles.dim(name.padEnd(10))}  ${text}`),
  ].join("\n");
}
