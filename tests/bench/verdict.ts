/** Least ratio to a baseline that a row must reach; no target = for information. */
export interface Target {
  readonly least: number;
}

/** Targets that were missed and rows that answered wrongly: what the bench's exit code tells. */
export class Verdicts {
  #failed = 0;

  /** The table's last column. */
  judge(ratio: number, target: Target | undefined): string {
    if (target === undefined) return "–";
    const reached = ratio >= target.least;
    if (!reached) this.#failed++;
    return `≥ ${target.least.toFixed(2)}: ${ratio.toFixed(3)} ${reached ? "reached" : "MISSED"}`;
  }

  /** A row that can't be measured, since what it would measure is wrong. */
  fail(): void {
    this.#failed++;
  }

  get failed(): number {
    return this.#failed;
  }
}
