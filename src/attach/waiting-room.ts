/** Something that waits to be authenticated. */
export interface Waiting {
  /** Client address. */
  readonly address: string;
  /** Sends it away to make room. */
  evict(): void;
}

export interface WaitingRoomLimits {
  readonly maxPerAddress: number;
  readonly maxInAll: number;
}

/**
 * The sockets that are open but not authenticated. One address can fill its own places only; when all places are taken
 * the oldest socket of the busiest address goes, so that whoever floods pays and an owner still gets in
 * (CVE-2026-41399, GHSA-mfg5-7q5g-f37j).
 */
export class WaitingRoom {
  readonly #limits: WaitingRoomLimits;
  /** By address, each in order of arrival. */
  readonly #waiting = new Map<string, Set<Waiting>>();
  #size = 0;

  constructor(limits: WaitingRoomLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** False if the address has no place left. */
  enter(one: Waiting): boolean {
    const own = this.#waiting.get(one.address);
    if (own !== undefined && own.size >= this.#limits.maxPerAddress) return false;
    if (this.#size >= this.#limits.maxInAll) {
      const oldest = this.#oldestOfBusiest();
      if (oldest !== undefined) {
        this.leave(oldest);
        oldest.evict();
      }
    }
    const places = this.#waiting.get(one.address);
    if (places === undefined) this.#waiting.set(one.address, new Set([one]));
    else places.add(one);
    this.#size++;
    return true;
  }

  /** Does nothing for one that is not there. */
  leave(one: Waiting): void {
    const own = this.#waiting.get(one.address);
    if (own?.delete(one) !== true) return;
    this.#size--;
    if (own.size === 0) this.#waiting.delete(one.address);
  }

  #oldestOfBusiest(): Waiting | undefined {
    let busiest: Set<Waiting> | undefined;
    for (const own of this.#waiting.values()) {
      if (busiest === undefined || own.size > busiest.size) busiest = own;
    }
    return busiest?.values().next().value;
  }
}
