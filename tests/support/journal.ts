import { DiskJournal, type DiskJournalOptions } from "../../src/agent/disk-journal.ts";
import type { Journal } from "../../src/agent/journal.ts";
import { createLog, type Log } from "../../src/log/log.ts";
import { FakeClock } from "./fake-clock.ts";

/** A log that keeps its lines. */
export function keepingLog(): { readonly log: Log; readonly lines: Record<string, unknown>[] } {
  const lines: Record<string, unknown>[] = [];
  const log = createLog({
    level: "debug",
    format: "json",
    wallMs: () => 0,
    write: (line) => lines.push(JSON.parse(line)),
  });
  return { log, lines };
}

/** A journal in `dir`, as the Nest of this boot opens it. */
export function diskJournal(dir: string, options: Partial<DiskJournalOptions> = {}): DiskJournal {
  return new DiskJournal({
    dir,
    maxEvents: 10_000,
    maxBytes: 64 << 20,
    bootId: "this-boot",
    clock: new FakeClock(),
    log: keepingLog().log,
    ...options,
  });
}

/** Frames after `seq`, as a reader takes them. */
export function framesAfter(journal: Journal, seq: number): string[] {
  const frames: string[] = [];
  for (let entry = journal.after(seq); entry; entry = journal.after(entry.seq))
    frames.push(entry.frame);
  return frames;
}
