/** What attacks.py prints. */
export interface Attacks {
  readonly own: Readonly<Record<string, boolean>>;
  readonly nest: Readonly<Record<string, boolean>>;
  readonly undo: Readonly<Record<string, boolean>>;
  readonly tokens: readonly string[];
}

export function readAttacks(output: string): Attacks {
  const line = output.split("\n").find((text) => text.startsWith("{"));
  if (line === undefined) throw new Error(`attacks.py said nothing of use: ${output}`);
  return JSON.parse(line) as Attacks;
}

/** Names of the attempts that worked. */
export function worked(attempts: Readonly<Record<string, boolean>>): string[] {
  return Object.keys(attempts).filter((name) => attempts[name]);
}
