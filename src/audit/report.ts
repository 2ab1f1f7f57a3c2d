import type { Check } from "./check.ts";
import type { Outcome, Result } from "./run.ts";

/** What happened, in numbers. */
export type Summary = Readonly<Record<Outcome, number>>;

export function summaryOf(results: readonly Result[]): Summary {
  const count = (outcome: Outcome) => results.filter((one) => one.outcome === outcome).length;
  return {
    held: count("held"),
    fell: count("fell"),
    skipped: count("skipped"),
    failed: count("failed"),
  };
}

/** 0: all that ran held. 1: something fell. 2: something could not run, or nothing did. */
export function exitCodeOf(results: readonly Result[]): 0 | 1 | 2 {
  const { held, fell, failed } = summaryOf(results);
  if (fell > 0) return 1;
  return failed > 0 || held === 0 ? 2 : 0;
}

/**
 * `nest audit --json`. Stable: fields are added, never changed or taken away, unless `schema` rises.
 * Described in docs/audit.md.
 */
export function jsonReport(results: readonly Result[], version: string, url: string | undefined) {
  return {
    schema: 1,
    version,
    ...(url !== undefined && { url }),
    summary: summaryOf(results),
    exit: exitCodeOf(results),
    checks: results.map(({ check, outcome, details, elapsedMs }) => ({
      id: check.id,
      group: check.group,
      severity: check.severity,
      title: check.title,
      outcome,
      details,
      cases: check.cases,
      fix: check.fix,
      elapsedMs,
    })),
  };
}

/** SARIF's levels; with the numbers that GitHub sorts by. */
const LEVELS = {
  critical: ["error", "9.5"],
  high: ["error", "8.0"],
  medium: ["warning", "5.5"],
  low: ["note", "2.5"],
} as const;

/** SARIF 2.1.0 (OASIS), for CI: a rule for each check that ran, a result for each thing that fell. */
export function sarifReport(
  results: readonly Result[],
  version: string,
  place: { readonly config: string | undefined; readonly url: string | undefined },
) {
  const ran = results.filter(({ outcome }) => outcome !== "skipped");
  return {
    $schema: "https://json.schemastore.org/sarif-2.1.0.json",
    version: "2.1.0",
    runs: [
      {
        tool: {
          driver: { name: "nest audit", version, rules: ran.map(({ check }) => ruleOf(check)) },
        },
        invocations: [
          {
            executionSuccessful: results.every(({ outcome }) => outcome !== "failed"),
            toolExecutionNotifications: results
              .filter(({ outcome }) => outcome === "failed")
              .map(({ check, details }) => ({
                level: "error",
                message: { text: `${check.id}: ${details.join("; ")}` },
                descriptor: { id: check.id },
              })),
          },
        ],
        results: ran.flatMap(({ check, outcome, details }, ruleIndex) =>
          outcome !== "fell"
            ? []
            : details.map((text) => ({
                ruleId: check.id,
                ruleIndex,
                level: LEVELS[check.severity][0],
                message: { text },
                locations: [
                  {
                    physicalLocation: {
                      artifactLocation: {
                        uri:
                          check.group === "config" || place.url === undefined
                            ? encodeURI(place.config ?? "config.yaml")
                            : place.url,
                      },
                    },
                  },
                ],
              })),
        ),
      },
    ],
  };
}

function ruleOf(check: Check) {
  return {
    id: check.id,
    name: check.id.replaceAll(/[.-](\w)/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: check.title },
    fullDescription: { text: `${check.threat}. Impact: ${check.impact}` },
    help: { text: `${check.mitigation}. Fix: ${check.fix}. See ${check.cases.join(", ")}` },
    defaultConfiguration: { level: LEVELS[check.severity][0] },
    properties: { tags: ["security", check.group], "security-severity": LEVELS[check.severity][1] },
  };
}
