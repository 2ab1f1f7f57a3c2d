import type { Clock } from "../clock.ts";
import { ChangeSet, type VaultChanges } from "./change-set.ts";
import { Inotify, type InotifyEvent } from "./inotify.ts";
import { type Folder, Picture } from "./picture.ts";
import { TimeSlice } from "./time-slice.ts";
import type { Root } from "./walk.ts";

export interface VaultWatchOptions {
  /** Stays open while it is watched. */
  readonly root: Root;
  readonly clock: Clock;
  /**
   * Told from time to time of all that has happened since the last time; never of nothing. First of a `resync`, when the
   * vault has been seen once: what has changed before is not known.
   */
  readonly changed: (changes: VaultChanges) => void;
  /** Told, once each, of what keeps the watch from being complete, in words for the owner. */
  readonly warn: (reason: string) => void;
  /** False: look again and again, as where the system can't tell; for its tests. */
  readonly mayUseInotify?: boolean;
  /** Folders told of by the system · default 65,536. The rest is looked at again and again. */
  readonly maxWatches?: number;
}

/** How often the system's queue is read, ms. It holds 16,384 events by default. */
const POLL_MS = 50;
/** Changes are gathered this long, ms: a save is often four events. */
const GATHER_MS = 100;
/** Least time between two tellings while there is much to tell, ms. */
const TELL_EVERY_MS = 250;
/** Between pieces of work, ms: half a core at most. */
const PAUSE_MS = 8;
/** Folders told of by the system; a user has some 100,000 watches for all programs. */
const MAX_WATCHES = 65_536;
/** Names that wait to be looked at; beyond, everything is looked at. */
const MAX_DIRTY_NAMES = 20_000;
/** Everything is looked at again after this, in case an event never came (network file systems, `mmap`), ms. */
const LOOK_AGAIN_MS = 600_000;
/** Where events are missing, looking at everything may take this part of the time, and at least as long in between, ms. */
const LOOK_SHARE = 4;
const LOOK_PAUSE_MS = 1000;

/** Names in a folder to look at, and whether their content was written; all names if absent. */
type Dirty = Map<string, boolean> | undefined;

/**
 * Tells of changes in the vault, whoever makes them.
 *
 * Latency: at most a quarter of a second, while the vault changes less than it can be looked at. Memory: what
 * `Picture` holds; events that wait are bounded. Descriptors: one, and those of one walk.
 *
 * Where inotify(7) is missing, or its watches do not suffice, the vault is looked at again and again, at a fifth of a
 * core's time at most; changes then take longer to be seen.
 */
export class VaultWatch {
  readonly #clock: Clock;
  readonly #changed: VaultWatchOptions["changed"];
  readonly #warn: VaultWatchOptions["warn"];
  readonly #inotify: Inotify | undefined;
  readonly #picture: Picture;
  readonly #changes = new ChangeSet();
  #slice: TimeSlice;
  #dirty = new Map<Folder, Dirty>();
  #dirtyNames = 0;
  #worker: Promise<void> | undefined;
  #isGathering = false;
  #isStopped = false;
  #cancelPoll = () => {};
  #cancelGather = () => {};
  #cancelLook = () => {};
  #toldMs = Number.NEGATIVE_INFINITY;
  #lookStartedMs = 0;
  #isLooking = true;
  #isFirst = true;
  #mustLookAgain = false;
  /** Not before this is everything looked at again, however much is lost. */
  #restUntilMs = 0;
  readonly #warned = new Set<string>();
  readonly #ready = Promise.withResolvers<void>();
  /** Settles when the vault has been seen once: changes from then on are told. */
  readonly ready: Promise<void> = this.#ready.promise;

  constructor({ root, clock, changed, warn, ...options }: VaultWatchOptions) {
    const { mayUseInotify = true, maxWatches = MAX_WATCHES } = options;
    this.#clock = clock;
    this.#slice = new TimeSlice(clock, PAUSE_MS);
    this.#changed = changed;
    this.#warn = warn;
    this.#inotify = mayUseInotify && root.pins ? Inotify.open() : undefined;
    if (this.#inotify === undefined) this.#warnOnce("the system does not tell of changes here");
    this.#picture = new Picture(root, this.#inotify, maxWatches, () => clock.wallMs());
    this.#lookStartedMs = clock.monotonicMs();
    this.#poll();
    this.#start();
  }

  /** Folders that the system tells of, and all things that are known. */
  get size(): { readonly watches: number; readonly entries: number } {
    return { watches: this.#picture.watched, entries: this.#picture.size };
  }

  /** Settles when nothing of the vault is in use any more; nothing is told from the call on. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#cancelPoll();
    this.#cancelGather();
    this.#cancelLook();
    this.#slice.stop();
    await this.#worker;
    this.#inotify?.[Symbol.dispose]();
    this.#ready.resolve();
  }

  #poll(): void {
    if (this.#inotify === undefined) return;
    this.#cancelPoll = this.#clock.after(POLL_MS, () => this.#poll());
    try {
      this.#inotify.read({
        event: (event) => this.#heard(event),
        ended: (watch) => this.#picture.ended(watch),
        lost: () => this.#lost(),
      });
    } catch (error) {
      this.#warnOnce(`events can't be read: ${(error as Error).message}`);
      this.#lost();
    }
  }

  #heard({ wd, name, isWrite }: InotifyEvent): void {
    const folder = this.#picture.folderOfWatch(wd);
    if (folder !== undefined) this.#suspect(folder, name, isWrite);
  }

  #suspect(folder: Folder, name: string, isWritten: boolean): void {
    const isKnown = this.#dirty.has(folder);
    let names = this.#dirty.get(folder);
    if (isKnown && names === undefined) return;
    if (names === undefined) this.#dirty.set(folder, (names = new Map()));
    if (!names.has(name)) this.#dirtyNames++;
    names.set(name, isWritten || names.get(name) === true);
    if (this.#dirtyNames > MAX_DIRTY_NAMES) this.#lost();
    this.#gather();
  }

  #gather(): void {
    if (this.#isGathering || this.#worker !== undefined || this.#isStopped) return;
    this.#isGathering = true;
    const sinceMs = this.#clock.monotonicMs() - this.#toldMs;
    this.#cancelGather = this.#clock.after(Math.max(GATHER_MS, TELL_EVERY_MS - sinceMs), () => {
      this.#isGathering = false;
      this.#start();
    });
  }

  /** Events are missing: what has changed is found by looking at everything. */
  #lost(): void {
    this.#dirty.clear();
    this.#dirtyNames = 0;
    this.#changes.lose();
    this.#gather();
    if (this.#isLooking) this.#mustLookAgain = true;
    else this.#lookAfter(Math.max(0, this.#restUntilMs - this.#clock.monotonicMs()));
  }

  #lookAfter(delayMs: number): void {
    this.#cancelLook();
    this.#cancelLook = this.#clock.after(delayMs, () => {
      this.#isLooking = true;
      this.#lookStartedMs = this.#clock.monotonicMs();
      for (const folder of this.#picture.folders()) this.#dirty.set(folder, undefined);
      this.#start();
    });
  }

  #start(): void {
    if (this.#worker !== undefined || this.#isStopped) return;
    this.#worker = this.#work().finally(() => {
      this.#worker = undefined;
      if (this.#dirty.size > 0) this.#gather();
    });
  }

  async #work(): Promise<void> {
    try {
      this.#slice = new TimeSlice(this.#clock, PAUSE_MS);
      while (!this.#isStopped && (await this.#step(this.#slice))) {
        if (this.#slice.isOver) await this.#slice.pause();
        if (this.#clock.monotonicMs() - this.#toldMs >= TELL_EVERY_MS) this.#tell();
      }
      this.#tell();
      if (this.#isLooking && !this.#isStopped) this.#looked();
    } catch (error) {
      // Too many open files, a file system that fails: no reason to end, but something may have been missed.
      this.#warnOnce(`it can't be read: ${(error as Error).message}`);
      this.#changes.lose();
      this.#tell();
      if (!this.#isStopped) this.#lookAfter(LOOK_PAUSE_MS);
    }
  }

  /** One folder. False if nothing is left to do. */
  async #step(slice: TimeSlice): Promise<boolean> {
    if (await this.#picture.readNext(this.#changes, slice)) return true;
    const next = this.#dirty.entries().next().value;
    if (next === undefined) return false;
    const [folder, names] = next;
    this.#dirty.delete(folder);
    this.#dirtyNames -= names?.size ?? 0;
    const isThere = await this.#picture.compare(folder, names, this.#changes, slice);
    if (!isThere && folder.parent !== undefined) this.#suspect(folder.parent, folder.name, false);
    return true;
  }

  /** Everything has been looked at once. */
  #looked(): void {
    this.#isLooking = false;
    if (this.#isFirst) {
      this.#isFirst = false;
      // Whoever read the vault before that can't know what has changed since.
      this.#changes.lose();
      this.#tell();
      this.#ready.resolve();
    }
    const { isFull, unwatched } = this.#picture;
    this.#picture.unwatched = 0;
    if (isFull) this.#warnOnce("there are too many files; not all are watched");
    if (unwatched > 0) {
      this.#warnOnce(
        "there are more folders than can be watched (fs.inotify.max_user_watches); changes are seen late",
      );
    }
    const nowMs = this.#clock.monotonicMs();
    const restMs = Math.max(LOOK_PAUSE_MS, LOOK_SHARE * (nowMs - this.#lookStartedMs));
    this.#restUntilMs = nowMs + restMs;
    const isComplete = this.#inotify !== undefined && unwatched === 0 && !this.#mustLookAgain;
    this.#mustLookAgain = false;
    this.#lookAfter(isComplete ? LOOK_AGAIN_MS : restMs);
  }

  #tell(): void {
    if (this.#changes.isEmpty || this.#isStopped) return;
    this.#toldMs = this.#clock.monotonicMs();
    this.#changed(this.#changes.take());
  }

  #warnOnce(reason: string): void {
    if (this.#warned.has(reason) || this.#warned.size > 8) return;
    this.#warned.add(reason);
    this.#warn(reason);
  }
}
