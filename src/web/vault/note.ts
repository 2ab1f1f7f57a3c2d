import { signal } from "@preact/signals";
import { toast } from "../app/toasts.tsx";
import { navigate } from "../app/router.ts";
import { ApiError } from "../api/ask.ts";
import { api } from "../api/http.ts";
import { onVaultChanges } from "../chat/vault-changes.ts";
import {
  addressOfFile,
  joined,
  keepInTrash,
  partsOf,
  putBeside,
  putFile,
  wordsFor,
} from "./files.ts";
import { clearDraft, loadDraft, saveDraft } from "./note-draft.ts";

/** What there is at a path. */
export type Shown =
  | { readonly kind: "loading" }
  | { readonly kind: "text" }
  | { readonly kind: "missing" }
  | { readonly kind: "folder" }
  /** Shown from its bytes, or only offered for taking along. `version` changes with the file. */
  | {
      readonly kind: "bytes";
      readonly type: string;
      readonly size: number;
      readonly version: string;
    }
  | { readonly kind: "problem"; readonly words: string };

/** A text as the server has it. `etag` is absent where there is no file. */
export interface Version {
  readonly text: string;
  readonly etag?: string | undefined;
}

/** Something has changed the note while it was shown. */
export interface Change {
  readonly before: string;
  readonly after: string;
}

/** How a conflict ends. Whatever is not chosen lies in the trash, or beside it. */
export type Choice = "mine" | "theirs" | "both";

/** Larger texts are not shown but offered for taking along, bytes. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;
/** Changes are marked for so long, ms. */
const MARKED_MS = 10 * 60_000;

const NOTHING: Version = { text: "" };

/** One path of the vault while it is shown: what the server has, what is typed, and what to do when these differ. */
export class Note implements Disposable {
  readonly path: string;
  readonly shown = signal<Shown>({ kind: "loading" });
  /** The version that is shown, and that typing began from. */
  readonly base = signal<Version>(NOTHING);
  /** What is in the editor; `undefined` while the note is read. */
  readonly draft = signal<string | undefined>(undefined);
  /** A newer version than `base`, while there are unsaved words. */
  readonly theirs = signal<Version | undefined>(undefined);
  /** Both versions are shown side by side. */
  readonly isComparing = signal(false);
  readonly change = signal<Change | undefined>(undefined);
  /** What was read here before it was removed elsewhere. */
  readonly gone = signal<string | undefined>(undefined);
  readonly isSaving = signal(false);
  /** Why the last attempt to save failed. */
  readonly problem = signal("");
  /** False: this browser did not take the draft, which lasts as long as the page. */
  readonly isKept = signal(true);

  readonly #abort = new AbortController();
  readonly #stopListening: () => void;
  #reading: Promise<void> | undefined;
  #readAgain = false;
  #saving: Promise<boolean> | undefined;
  #unmark: ReturnType<typeof setTimeout> | undefined;

  constructor(path: string) {
    this.path = path;
    this.#stopListening = onVaultChanges((changes, isMore) => {
      const isMine = changes.some(
        (change) => change.path === path || path.startsWith(`${change.path}/`),
      );
      if (isMore || isMine) void this.refresh();
    });
    addEventListener("beforeunload", this.#onLeave);
    void this.refresh();
  }

  get isDirty(): boolean {
    const { value } = this.draft;
    return value !== undefined && value !== this.base.value.text;
  }

  /** Opens the editor. */
  edit(): void {
    if (this.draft.value === undefined) this.draft.value = this.base.value.text;
  }

  type(text: string): void {
    if (this.draft.value === text) return;
    this.draft.value = text;
    this.problem.value = "";
    this.#keep();
  }

  /** Opens the editor with what was there before it was removed. */
  bringBack(): void {
    this.type(this.gone.value ?? "");
  }

  /** Back to reading. Unsaved words are saved first. */
  async finish(): Promise<void> {
    if (this.isDirty && !(await this.save())) return;
    if (this.draft.value === this.base.value.text) this.draft.value = undefined;
  }

  /** Puts unsaved words into the trash and reads what the server has. */
  async discard(): Promise<void> {
    const { value: text } = this.draft;
    if (text !== undefined && this.isDirty && text.trim() !== "") {
      try {
        await keepInTrash(this.path, text);
        // What was typed meanwhile stays.
        if (this.draft.value !== text) return;
        toast("Your unsaved words lie in the trash.");
      } catch (error) {
        this.problem.value = `Nothing was thrown away: ${wordsFor(error)}`;
        return;
      }
    }
    this.#leaveEditor();
    await this.refresh();
  }

  /** @returns true once the server has what is in the editor */
  save(): Promise<boolean> {
    this.#saving ??= this.#save().finally(() => {
      this.#saving = undefined;
      this.isSaving.value = false;
    });
    return this.#saving;
  }

  async #save(): Promise<boolean> {
    const text = this.draft.value;
    if (text === undefined || (!this.isDirty && this.base.value.etag !== undefined)) return true;
    this.isSaving.value = true;
    this.problem.value = "";
    try {
      const etag = await putFile(this.path, text, this.base.value.etag);
      this.#saved({ text, etag });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError && (error.status === 412 || error.status === 404))) {
        this.problem.value = `Not saved: ${wordsFor(error)} Your words are kept here.`;
        return false;
      }
    }
    // Somebody else was first, or it was this very save, whose answer was lost.
    await this.#look();
    if (this.theirs.value !== undefined) this.isComparing.value = true;
    return !this.isDirty;
  }

  /** Ends a conflict. */
  async choose(choice: Choice): Promise<void> {
    const mine = this.draft.value;
    const theirs = this.theirs.value;
    if (mine === undefined || theirs === undefined || this.isSaving.value) return;
    this.isSaving.value = true;
    this.problem.value = "";
    try {
      if (choice === "mine") {
        if (theirs.etag !== undefined) await keepInTrash(this.path, theirs.text);
        this.#saved({ text: mine, etag: await putFile(this.path, mine, theirs.etag) });
        toast("Yours is saved. The other version lies in the trash.");
      } else {
        const lies =
          choice === "both"
            ? await putBeside(this.#besides(), mine)
            : await keepInTrash(this.path, mine);
        this.#leaveEditor();
        this.#take(theirs);
        if (choice === "theirs") toast("The other version stays. Yours lies in the trash.");
        else
          toast(`Yours is kept beside it, as ${partsOf(lies).name}.`, {
            label: "Open it",
            run: () => navigate({ kind: "note", path: lies }),
          });
      }
    } catch (error) {
      if (error instanceof ApiError && error.status === 412) {
        this.problem.value = "It has changed once more. Both are shown anew.";
        await this.#look();
      } else this.problem.value = `Nothing was changed: ${wordsFor(error)}`;
    } finally {
      this.isSaving.value = false;
    }
    // What came meanwhile.
    await this.refresh();
  }

  /** Takes back what is marked as changed. */
  async undo(): Promise<void> {
    const { value: change } = this.change;
    if (change === undefined || this.isDirty) return;
    await this.#replace(change.after, change.before, () =>
      toast("Taken back.", {
        label: "Redo",
        run: () => void this.#replace(change.before, change.after, () => {}),
      }),
    );
  }

  async #replace(from: string, to: string, done: () => void): Promise<void> {
    if (this.base.value.text !== from || this.isDirty) {
      toast("It has changed since. Nothing was touched.");
      return;
    }
    try {
      const etag = await putFile(this.path, to, this.base.value.etag);
      this.#mark(undefined);
      this.#saved({ text: to, etag });
      done();
    } catch (error) {
      const hasChanged = error instanceof ApiError && error.status === 412;
      toast(hasChanged ? "It has changed since. Nothing was touched." : wordsFor(error));
    }
  }

  /** The marks have been seen. */
  dismissChange(): void {
    this.#mark(undefined);
  }

  /** Reads what the server has now; once more, if it is being read already. */
  refresh(): Promise<void> {
    if (this.#reading !== undefined) {
      this.#readAgain = true;
      return this.#reading;
    }
    const read = async () => {
      do {
        this.#readAgain = false;
        // Its outcome decides what is new.
        await this.#saving?.catch(() => {});
        await this.#look();
      } while (this.#readAgain && !this.#abort.signal.aborted);
    };
    this.#reading = read().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  [Symbol.dispose](): void {
    this.#abort.abort();
    this.#stopListening();
    clearTimeout(this.#unmark);
    removeEventListener("beforeunload", this.#onLeave);
  }

  async #look(): Promise<void> {
    const { etag } = this.theirs.value ?? this.base.value;
    let response: Response;
    try {
      response = await api(addressOfFile(this.path), {
        signal: this.#abort.signal,
        cache: "no-store",
        headers: etag === undefined ? {} : { "If-None-Match": etag },
      });
    } catch (error) {
      this.#onRefused(error as Error);
      return;
    }
    if (response.status === 304) return;
    const type = response.headers.get("Content-Type") ?? "";
    const size = Number(response.headers.get("Content-Length") ?? 0);
    const version = response.headers.get("ETag") ?? "";
    const asBytes = () => {
      // Unsaved words are not taken from the screen.
      if (!this.isDirty) this.shown.value = { kind: "bytes", type, size, version };
    };
    const isText = /^(?:text\/|application\/json\b)/.test(type);
    const mayBe = type.startsWith("application/octet-stream") && size <= MAX_TEXT_BYTES / 4;
    if (!(isText || mayBe) || size > MAX_TEXT_BYTES) {
      await response.body?.cancel();
      asBytes();
      return;
    }
    try {
      const text = decode(await response.arrayBuffer());
      if (text === undefined) asBytes();
      else this.#onVersion({ text, etag: version });
    } catch (error) {
      this.#onRefused(error as Error);
    }
  }

  #onRefused(error: Error): void {
    if (this.#abort.signal.aborted || error.name === "AbortError") return;
    if (error instanceof ApiError && error.status === 404) this.#onVersion(NOTHING);
    else if (error instanceof ApiError && error.status === 409 && !this.isDirty)
      this.shown.value = { kind: "folder" };
    // What is shown stays while the server is away.
    else if (this.shown.value.kind === "loading") {
      this.shown.value = { kind: "problem", words: wordsFor(error) };
    }
  }

  #onVersion(now: Version): void {
    if (this.#abort.signal.aborted) return;
    const isFirst = this.shown.value.kind !== "text" && this.shown.value.kind !== "missing";
    if (isFirst) {
      this.#begin(now);
      return;
    }
    const base = this.base.value;
    const draft = this.draft.value;
    if (now.etag === base.etag && now.text === base.text) {
      this.theirs.value = undefined;
      this.isComparing.value = false;
    } else if (now.etag === undefined && base.etag !== undefined && !this.isDirty) {
      // Removed elsewhere: what was on the screen can still be put back.
      if (draft === undefined) this.gone.value = base.text;
      this.#take(now);
      this.draft.value = draft;
      if (draft !== undefined) this.#keep();
    } else if (!this.isDirty || draft === now.text) {
      const isOwn = draft === now.text && this.isDirty;
      if (!isOwn && base.etag !== undefined && now.etag !== undefined && base.text !== now.text) {
        // Marks add up until they are dismissed, and are taken back together.
        const before = this.change.value?.before ?? base.text;
        this.#mark(before === now.text ? undefined : { before, after: now.text });
      }
      this.#saved(now);
    } else {
      this.theirs.value = now;
    }
  }

  /** First of all: what is there, and what was typed here before a reload. */
  #begin(now: Version): void {
    const kept = loadDraft(this.path);
    if (kept === undefined || kept.text === now.text) {
      if (kept !== undefined) clearDraft(this.path, kept.text);
      this.#take(now);
      return;
    }
    this.shown.value = { kind: "text" };
    this.draft.value = kept.text;
    if (kept.etag === now.etag) this.base.value = now;
    else {
      this.base.value = { text: kept.base, etag: kept.etag };
      this.theirs.value = now;
    }
  }

  /** The server has this, and typing goes on from it. */
  #saved(now: Version): void {
    const { value: draft } = this.draft;
    const wasDirty = this.isDirty;
    this.#take(now);
    if (draft === undefined) return;
    if (!wasDirty) this.draft.value = now.text;
    this.shown.value = { kind: "text" };
    if (wasDirty) clearDraft(this.path, now.text);
    // What was typed while it was saved.
    if (this.isDirty) this.#keep();
  }

  #take(now: Version): void {
    this.base.value = now;
    this.theirs.value = undefined;
    this.isComparing.value = false;
    this.shown.value = { kind: now.etag === undefined ? "missing" : "text" };
    if (now.etag !== undefined) this.gone.value = undefined;
    if (this.change.value !== undefined && this.change.value.after !== now.text)
      this.#mark(undefined);
  }

  #leaveEditor(): void {
    const { value: text } = this.draft;
    this.draft.value = undefined;
    this.theirs.value = undefined;
    this.isComparing.value = false;
    this.problem.value = "";
    if (text !== undefined) clearDraft(this.path, text);
  }

  #mark(change: Change | undefined): void {
    clearTimeout(this.#unmark);
    this.change.value = change;
    if (change === undefined) return;
    this.#unmark = setTimeout(() => (this.change.value = undefined), MARKED_MS);
  }

  #keep(): void {
    const { value: text } = this.draft;
    if (text === undefined || !this.isDirty) {
      clearDraft(this.path, text ?? "");
      this.isKept.value = true;
      return;
    }
    const { text: base, etag } = this.base.value;
    this.isKept.value = saveDraft(this.path, { text, base, ...(etag !== undefined && { etag }) });
  }

  #besides(): string {
    const { folder, stem, ending } = partsOf(this.path);
    return joined(folder, `${stem} (mine)${ending}`);
  }

  readonly #onLeave = (event: BeforeUnloadEvent): void => {
    if (this.isDirty && !this.isKept.value) event.preventDefault();
  };
}

/** UTF-8 and nothing else, a byte order mark included; `undefined` for what is no text. */
function decode(bytes: ArrayBuffer): string | undefined {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}
