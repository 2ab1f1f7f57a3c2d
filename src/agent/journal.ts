/** One numbered event of a session. */
export interface JournalEntry {
  readonly seq: number;
  /** `{"type":"event","seq":N,"event":…}`, ready to be sent. */
  readonly frame: string;
}

/**
 * The numbered events of one session, oldest first. Numbers rise by one; what was appended is never changed.
 */
export interface Journal {
  /** Number of the newest event, or of the one before the first. */
  readonly lastSeq: number;
  /** Numbers and keeps an event, given as JSON. */
  append(event: string): JournalEntry;
  /** The entry after `seq`; `undefined` if there is none yet or it is no longer kept. */
  after(seq: number): JournalEntry | undefined;
  /** True if every event after `seq` is still kept, so that a client that has seen `seq` misses none. */
  reaches(seq: number): boolean;
  /** Length of the frames after `seq`: UTF-16 code units or bytes, whichever is at hand. */
  lengthAfter(seq: number): number;
  /** Events wait to be kept; until then they can't be read. */
  readonly isBehind: boolean;
  /** Settles when all events are kept again; `undefined` if they are. */
  caughtUp(): Promise<void> | undefined;
  /** Lets go of files. */
  close(): void;
}

export interface MemoryJournalOptions {
  /** Number of the first event. */
  readonly firstSeq: number;
  /** Events kept, count · 10 000 (contract section 5). */
  readonly maxEvents: number;
  /** Sum of the frames kept, UTF-16 code units · 64 Mi. */
  readonly maxLength: number;
}

/** Keeps the newest events in memory. */
export class MemoryJournal implements Journal {
  readonly #options: MemoryJournalOptions;
  /** Entries in order; those before `#head` are forgotten and cut off from time to time. */
  #entries: (JournalEntry | undefined)[] = [];
  /** `#ends[i]` = summed length of all frames up to and with `#entries[i]`, since the beginning. */
  #ends: number[] = [];
  #head = 0;
  #forgottenLength = 0;
  #lastSeq: number;

  constructor(options: MemoryJournalOptions) {
    this.#options = options;
    this.#lastSeq = options.firstSeq - 1;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  append(event: string): JournalEntry {
    const seq = ++this.#lastSeq;
    const entry = { seq, frame: `{"type":"event","seq":${seq},"event":${event}}` };
    this.#ends.push((this.#ends.at(-1) ?? this.#forgottenLength) + entry.frame.length);
    this.#entries.push(entry);
    while (
      this.#entries.length - this.#head > this.#options.maxEvents ||
      (this.#ends.at(-1) as number) - this.#forgottenLength > this.#options.maxLength
    ) {
      this.#forgottenLength = this.#ends[this.#head] as number;
      this.#entries[this.#head] = undefined;
      this.#head++;
    }
    // Places are cut off in one go now and then: shifting one by one would copy the arrays each time.
    if (this.#head > this.#entries.length / 2) {
      this.#entries = this.#entries.slice(this.#head);
      this.#ends = this.#ends.slice(this.#head);
      this.#head = 0;
    }
    return entry;
  }

  after(seq: number): JournalEntry | undefined {
    if (seq >= this.#lastSeq) return undefined;
    const index = this.#indexOf(seq + 1);
    return index < this.#head ? undefined : this.#entries[index];
  }

  reaches(seq: number): boolean {
    return seq <= this.#lastSeq && this.#indexOf(seq + 1) >= this.#head;
  }

  lengthAfter(seq: number): number {
    const total = this.#ends.at(-1) ?? this.#forgottenLength;
    const index = this.#indexOf(seq);
    const upTo = index < this.#head ? this.#forgottenLength : (this.#ends[index] ?? total);
    return total - upTo;
  }

  get isBehind(): boolean {
    return false;
  }

  caughtUp(): undefined {
    return undefined;
  }

  close(): void {}

  #indexOf(seq: number): number {
    return this.#entries.length - (this.#lastSeq - seq) - 1;
  }
}
