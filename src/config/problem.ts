/** Something wrong with a config file, at its place. */
export interface Problem {
  readonly file: string;
  /** 1-based; absent if the file as a whole is meant. */
  readonly line?: number;
  readonly column?: number;
  /** `server.tokens[0].scopes`; absent for a problem of the YAML itself. */
  readonly path?: string;
  /** What was expected and what was found; never a secret's value. */
  readonly message: string;
}

/** `config.yaml:3:9: server.port: expected …`, the form that editors and terminals make clickable. */
export function formatProblem({ file, line, column, path, message }: Problem): string {
  const place = line === undefined ? file : `${file}:${line}:${column ?? 1}`;
  return path === undefined || path === ""
    ? `${place}: ${message}`
    : `${place}: ${path}: ${message}`;
}

/** As their reader goes through the file, from top to bottom. */
export function inFileOrder(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}

/** A config that can't be used, with every problem that was found. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[]) {
    super(problems.map(formatProblem).join("\n"));
    this.problems = problems;
  }
}
