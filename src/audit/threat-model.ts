import { type Check, SEVERITIES } from "./check.ts";

/** Stand around what is made from the table in a document that people write. */
export const BEGIN = "<!-- Made from src/audit by `bun run docs`; changes here are lost. -->";
export const END = "<!-- End of what is made. -->";

const GROUPS = {
  config: "The config",
  live: "A running Nest",
  surroundings: "What surrounds it",
} as const;

/** `docs/threat-model.md`: every row of the table, whole. */
export function threatModel(checks: readonly Check[]): string {
  const lines = [
    "# Threat model",
    "",
    BEGIN,
    "",
    "Each threat here is an attack that `nest audit` carries out ([audit.md](audit.md)). What is guarded and who is trusted:",
    "[security-model.md](security-model.md).",
    "",
  ];
  for (const [group, title] of Object.entries(GROUPS)) {
    lines.push(`## ${title}`, "");
    for (const check of checks.filter((one) => one.group === group)) lines.push(...section(check));
  }
  lines.push(END, "");
  return lines.join("\n");
}

function section(check: Check): string[] {
  const rows: readonly (readonly [string, string])[] = [
    ["Threat", check.threat],
    ["Impact", check.impact],
    ["Mitigation", check.mitigation],
    ["Check", check.attack],
    ["Published", check.cases.join(", ")],
    ["If it falls", check.fix],
    ["Test", `[${check.test}](../${check.test})`],
  ];
  return [
    `### ${check.id}`,
    "",
    `${capital(check.title)}. Severity: ${check.severity}.`,
    "",
    ...rows.map(([name, text]) => `- **${name}**: ${escaped(text)}`),
    "",
  ];
}

/** The part of `SECURITY.md` between the marks: a line for each threat, the gravest first. */
export function threatTable(checks: readonly Check[]): string {
  const lines = [
    "| threat | impact | mitigation | check | test |",
    "| --- | --- | --- | --- | --- |",
  ];
  const sorted = checks.toSorted(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  );
  for (const { id, threat, severity, impact, mitigation, test } of sorted) {
    const cells = [threat, `${impact} (${severity})`, mitigation];
    const link = `[\`${id}\`](docs/threat-model.md#${id.replaceAll(".", "")})`;
    lines.push(`| ${cells.map(cell).join(" | ")} | ${link} | \`${test}\` |`);
  }
  return lines.join("\n");
}

function cell(text: string): string {
  return escaped(text).replaceAll("|", "\\|");
}

/** `<` begins a tag and `*` turns words italic; neither is meant. */
function escaped(text: string): string {
  return text
    .split("`")
    .map((part, i) => (i % 2 === 1 ? part : part.replaceAll("<", "&lt;").replaceAll("*", "\\*")))
    .join("`");
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
