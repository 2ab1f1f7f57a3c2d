import {
  closeSync,
  existsSync,
  fdatasyncSync,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";
import { checkedLine, lineAt } from "./checked-lines.ts";
import { type Prompt, type PromptContent, type Sizes, textHash } from "./prompt.ts";
import { acceptedNote, type Note, UNFINISHED } from "./prompt-notes.ts";

/** Prompts whose keys are remembered, count. */
export const MAX_REMEMBERED = 4096;
/** Interrupted prompts that are kept whole, so that they can be run again, count. */
const MAX_INTERRUPTED = 16;
/** Prompts whose sizes are kept, count: enough to tell two with the same text apart. */
const RECENT = 64;
/** Zeros are written ahead in steps of this, bytes. */
const AHEAD_BYTES = 64 * 1024;
/** Room that each unfinished prompt has in them for what will be noted of it, bytes: five notes and their sizes. */
const ROOM_BYTES = 8 * 1024;
/** The file is written anew when it has grown by this beyond what it held then, bytes. */
const GROWTH_BYTES = 4 * 1024 * 1024;

/** The disk took it not. */
export class StorageError extends Error {
  override readonly name = "StorageError";
}

/**
 * What became of a session's prompts, on disk: the memory that makes each run once.
 *
 * A prompt is on the disk (fdatasync) before {@link accept} returns, and there is then room in the file for everything
 * that will be noted of it, written ahead as zeros: a disk that fills up later stops new prompts and no old ones. What
 * is noted after that survives the death of the process; {@link begun} that of the machine, too.
 */
export class PromptLedger {
  readonly #path: string;
  #fd: number;
  /** Where the next line goes. */
  #end = 0;
  /** Bytes of the file that are allocated. */
  #allocated = 0;
  #endAfterRewrite = 0;
  #next = 1;
  #isBusy = false;
  /** By id, in the order in which they were accepted. */
  readonly #prompts = new Map<string, Prompt>();
  readonly #byKey = new Map<string, Prompt>();
  /** Marks the processes of this session across restarts, see `orphans.ts`. */
  readonly mark: string;

  /** @throws {Error} of the file system */
  constructor(path: string) {
    this.#path = path;
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    const mark = existsSync(path) ? this.#load(readFileSync(path)) : undefined;
    this.mark = mark ?? crypto.randomUUID();
    try {
      this.#fd = this.#rewrite();
    } catch (error) {
      // A full disk: what is there will do, if something is.
      if (mark === undefined) throw error;
      this.#fd = openSync(path, "r+");
      this.#allocated = fstatSync(this.#fd).size;
    }
  }

  /** A run had started and not settled when this was last written. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Accepted and neither done, refused nor given up, oldest first. */
  get unfinished(): Prompt[] {
    return [...this.#prompts.values()].filter(({ status }) => UNFINISHED.has(status));
  }

  /** Interrupted, not run again since, and whole; oldest first. */
  get interrupted(): Prompt[] {
    return [...this.#prompts.values()].filter(
      ({ status, content }) => status === "interrupted" && content !== undefined,
    );
  }

  withId(id: string): Prompt | undefined {
    return this.#prompts.get(id);
  }

  withKey(key: string): Prompt | undefined {
    return this.#byKey.get(key);
  }

  /** The newest that were passed to a pi, whatever became of them, oldest first. */
  get recent(): Prompt[] {
    return [...this.#prompts.values()].slice(-RECENT).filter(({ attempts }) => attempts > 0);
  }

  /**
   * Takes a prompt on.
   *
   * @param seq - number of the event that will tell of it
   * @throws {StorageError} if the disk does not take it; then nothing was accepted
   */
  accept(content: PromptContent, seq: number, key: string | undefined, digest: string): Prompt {
    const id = `p${this.#next}`;
    const text = textHash(String(content.fields["message"]));
    const note = acceptedNote({ id, seq, key, digest, textHash: text, content });
    try {
      if (this.#end - this.#endAfterRewrite > GROWTH_BYTES) {
        const old = this.#fd;
        this.#fd = this.#rewrite();
        closeSync(old);
      }
      const line = checkedLine(JSON.stringify(note));
      const room = (this.unfinished.length + 1) * ROOM_BYTES;
      this.#allocate(this.#end + Buffer.byteLength(line) + room);
      this.#write(line);
      fdatasyncSync(this.#fd);
    } catch (error) {
      throw new StorageError((error as Error).message);
    }
    this.#next++;
    this.#apply(note);
    this.#forget();
    return this.#prompts.get(id) as Prompt;
  }

  /** @param sizes - of pi's conversation files before it gets the prompt */
  passed({ id }: Prompt, sizes: Sizes): void {
    this.#note({ t: "passed", id, sizes });
  }

  begun({ id }: Prompt): void {
    this.#note({ t: "begun", id });
    try {
      fdatasyncSync(this.#fd);
    } catch {
      // The next one tells.
    }
  }

  answered({ id }: Prompt): void {
    this.#note({ t: "answered", id });
  }

  over({ id }: Prompt, status: "done" | "interrupted" | "dropped"): void {
    this.#note({ t: "over", id, status });
    this.#forget();
  }

  /** It never ran and its key is free. */
  refused({ id }: Prompt): void {
    this.#note({ t: "refused", id });
  }

  /** An interrupted one has been accepted again under another id. */
  retried({ id }: Prompt): void {
    this.#note({ t: "retried", id });
  }

  run(busy: boolean): void {
    if (busy !== this.#isBusy) this.#note({ t: "run", busy });
  }

  close(): void {
    try {
      fdatasyncSync(this.#fd);
    } catch {
      // It is written at least.
    }
    closeSync(this.#fd);
  }

  #load(bytes: Buffer): string | undefined {
    let mark: string | undefined;
    for (let line = lineAt(bytes, 0); line !== undefined; line = lineAt(bytes, line.end)) {
      const note = JSON.parse(line.text) as Note;
      if (note.t === "head") mark = note.mark;
      this.#apply(note);
      this.#end = line.end;
    }
    return mark;
  }

  #apply(note: Note): void {
    if (note.t === "head") {
      this.#next = note.next;
      this.#isBusy = note.busy;
      return;
    }
    if (note.t === "run") {
      this.#isBusy = note.busy;
      return;
    }
    if (note.t === "accepted") {
      const { id, seq, key, digest, content } = note;
      const prompt: Prompt = {
        id,
        seq,
        key,
        digest,
        textHash: note.text,
        content,
        status: note.status ?? "accepted",
        attempts: note.attempts ?? 0,
        isAnswered: note.answered ?? false,
        sizes: note.sizes ?? {},
      };
      this.#prompts.set(id, prompt);
      if (key !== undefined) this.#byKey.set(key, prompt);
      this.#next = Math.max(this.#next, Number(id.slice(1)) + 1);
      return;
    }
    const prompt = this.#prompts.get(note.id);
    if (prompt === undefined) return;
    switch (note.t) {
      case "passed":
        prompt.status = "passed";
        prompt.attempts++;
        prompt.isAnswered = false;
        prompt.sizes = note.sizes;
        break;
      case "begun":
        prompt.status = "begun";
        break;
      case "answered":
        prompt.isAnswered = true;
        break;
      case "over":
        prompt.status = note.status;
        // Only what may be run again is kept whole.
        if (note.status !== "interrupted") prompt.content = undefined;
        break;
      case "refused":
        this.#drop(prompt);
        break;
      case "retried":
        prompt.status = "done";
        prompt.content = undefined;
        break;
    }
  }

  #drop(prompt: Prompt): void {
    this.#prompts.delete(prompt.id);
    if (prompt.key !== undefined && this.#byKey.get(prompt.key) === prompt)
      this.#byKey.delete(prompt.key);
  }

  #forget(): void {
    const interrupted = this.interrupted;
    for (const old of interrupted.slice(0, Math.max(0, interrupted.length - MAX_INTERRUPTED)))
      old.content = undefined;
    for (const prompt of this.#prompts.values()) {
      if (this.#prompts.size <= MAX_REMEMBERED) break;
      if (prompt.status === "done" || prompt.status === "dropped" || prompt.content === undefined)
        this.#drop(prompt);
    }
  }

  /** What can't be written now is true all the same: the file is behind until the next line that fits. */
  #note(note: Note): void {
    this.#apply(note);
    try {
      this.#write(checkedLine(JSON.stringify(note)));
    } catch {
      // There is room ahead for it, so this is a disk that fails altogether; pi's own file still shows what began.
    }
  }

  #write(line: string): void {
    const length = Buffer.byteLength(line);
    const written = writeSync(this.#fd, line, this.#end);
    if (written !== length) throw new Error("the disk is full");
    this.#end += length;
    this.#allocated = Math.max(this.#allocated, this.#end);
  }

  /** Makes sure that the file has `bytes` on disk: zeros where nothing is yet. */
  #allocate(bytes: number): void {
    if (bytes <= this.#allocated) return;
    const zeros = Buffer.alloc(bytes + AHEAD_BYTES - this.#allocated);
    const written = writeSync(this.#fd, zeros, 0, zeros.length, this.#allocated);
    this.#allocated += written;
    if (this.#allocated < bytes) throw new Error("the disk is full");
  }

  /** Writes a file with what is still to be known, in place of the old one. */
  #rewrite(): number {
    const temporary = `${this.#path}.new`;
    const lines = [
      checkedLine(
        JSON.stringify({
          t: "head",
          mark: this.mark,
          next: this.#next,
          busy: this.#isBusy,
        } satisfies Note),
      ),
    ];
    const recent = new Set([...this.#prompts.values()].slice(-RECENT));
    for (const prompt of this.#prompts.values()) {
      const { key, content, status, attempts, isAnswered, sizes } = prompt;
      if (key === undefined && content === undefined && !recent.has(prompt)) continue;
      const note: Note = {
        ...acceptedNote(prompt),
        status,
        attempts,
        answered: isAnswered,
        ...(recent.has(prompt) && { sizes }),
      };
      lines.push(checkedLine(JSON.stringify(note)));
    }
    const bytes = Buffer.concat([Buffer.from(lines.join("")), Buffer.alloc(AHEAD_BYTES)]);
    const fd = openSync(temporary, "w+", 0o600);
    try {
      if (writeSync(fd, bytes) !== bytes.length) throw new Error("the disk is full");
      fsyncSync(fd);
      renameSync(temporary, this.#path);
    } catch (error) {
      closeSync(fd);
      rmSync(temporary, { force: true });
      throw error;
    }
    this.#end = bytes.length - AHEAD_BYTES;
    this.#endAfterRewrite = this.#end;
    this.#allocated = bytes.length;
    return fd;
  }
}
