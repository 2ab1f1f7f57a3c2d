import type { Sample } from "./exposition.ts";

/** Statuses that HTTP has. */
const STATUSES = 600;

/** Answers by route, as registered, and status: labels whose number nobody outside can raise. */
export class RequestCounts {
  readonly #routes = new Map<string, Uint32Array>();

  /** A function to be called with the status of each answer of a route. One array access, since every request pays. */
  of(route: string): (status: number) => void {
    const known = this.#routes.get(route);
    const counts = known ?? new Uint32Array(STATUSES);
    this.#routes.set(route, counts);
    return (status) => {
      counts[status] = (counts[status] ?? 0) + 1;
    };
  }

  samples(): Sample[] {
    return [...this.#routes].flatMap(([route, counts]) =>
      [...counts.entries()]
        .filter(([, count]) => count > 0)
        .map(([status, value]) => ({ labels: { route, status: String(status) }, value })),
    );
  }
}
