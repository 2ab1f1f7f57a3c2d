import { useSignal } from "@preact/signals";
import { Ellipsis, Pencil } from "lucide";
import { useEffect, useMemo } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { addShortcut } from "../app/shortcuts.ts";
import { SideHead } from "../app/side-head.tsx";
import { Icon } from "../view/icon.tsx";
import { lazy } from "../view/lazy.tsx";
import { BytesView } from "./bytes-view.tsx";
import { Conflict } from "./compare.tsx";
import { partsOf, TRASH, trashedFrom, visible } from "./files.ts";
import { FolderView } from "./folder-view.tsx";
import { Menu } from "./menu.tsx";
import { changedLines } from "./line-changes.ts";
import { Note } from "./note.ts";
import { ReadView } from "./read-view.tsx";
import { restore, trashWithUndo } from "./changes.ts";
import { remember } from "./recent.ts";
import { TrashView } from "./trash-view.tsx";
import { MoveDialog } from "./name-dialog.tsx";

const Editor = lazy<{ of: Note }>(async () => (await import("./editor.tsx")).Editor);

/** The note that keys go to. */
let current: Note | undefined;

addShortcut({
  keys: "Mod+E",
  title: "Edit the note, and back to reading",
  run() {
    if (current?.shown.value.kind !== "text") return false;
    if (current.draft.value === undefined) current.edit();
    else void current.finish();
    return true;
  },
});
addShortcut({
  keys: "Mod+S",
  title: "Save the note",
  run() {
    if (current?.draft.value === undefined) return false;
    void current.save();
    return true;
  },
});

/** A note or file, read or edited. */
export function NotePane({ path }: { path: string }) {
  return path === TRASH ? <TrashView /> : <OneNote path={path} />;
}

function OneNote({ path }: { path: string }) {
  const note = useMemo(() => new Note(path), [path]);
  useEffect(() => {
    current = note;
    remember(note.path);
    return () => {
      if (current === note) current = undefined;
      note[Symbol.dispose]();
    };
  }, [note]);
  const isMoving = useSignal(false);
  const shown = note.shown.value;
  const isEditing = note.draft.value !== undefined;
  const isThere = shown.kind === "text" || shown.kind === "bytes" || shown.kind === "folder";
  const trashed = trashedFrom(path);
  return (
    <>
      <SideHead title={visible(partsOf(path).name)}>
        {isEditing && <EditButtons of={note} />}
        {!isEditing && shown.kind === "text" && <ReadButtons of={note} />}
        {isThere && trashed === undefined && !isEditing && (
          <Menu
            icon={Ellipsis}
            label="More about this note"
            items={[
              { title: "Rename or move…", run: () => (isMoving.value = true) },
              { title: "Move to the trash", run: () => void trashWithUndo(path) },
            ]}
          />
        )}
      </SideHead>
      {partsOf(path).folder !== "" && <Trail path={path} />}
      {trashed !== undefined && isThere && (
        <div class="note-bar" role="status">
          <span>This lies in the trash.</span>
          <button class="link" onClick={() => void restore(path, trashed.path)}>
            Restore it
          </button>
        </div>
      )}
      <Bars of={note} />
      <Content of={note} />
      {isMoving.value && <MoveDialog path={path} onClose={() => (isMoving.value = false)} />}
    </>
  );
}

/** The folders on the way, each a link. */
function Trail({ path }: { path: string }) {
  const names = path.split("/").slice(0, -1);
  return (
    <nav class="trail" aria-label="Folders">
      {names.map((name, i) => (
        <span key={i}>
          <Link to={{ kind: "note", path: names.slice(0, i + 1).join("/") }}>{name}</Link>
          <span aria-hidden="true"> / </span>
        </span>
      ))}
    </nav>
  );
}

function ReadButtons({ of: note }: { of: Note }) {
  return (
    <button class="button quiet" onClick={() => note.edit()}>
      <Icon of={Pencil} size={16} />
      Edit
    </button>
  );
}

function EditButtons({ of: note }: { of: Note }) {
  const { isDirty } = note;
  if (note.isComparing.value) {
    return (
      <button
        class="button quiet"
        disabled={note.isSaving.value}
        onClick={() => (note.isComparing.value = false)}
      >
        Back to writing
      </button>
    );
  }
  const isNew = note.base.value.etag === undefined;
  const isSaving = note.isSaving.value;
  return (
    <>
      <span class="dim small save-state" role="status">
        {isSaving ? "Saving…" : isDirty ? "Not saved" : isNew ? "" : "Saved"}
      </span>
      {isDirty && (
        <button class="button quiet" onClick={() => void note.discard()}>
          Discard
        </button>
      )}
      {isDirty || isNew ? (
        <button class="button primary" disabled={isSaving} onClick={() => void note.save()}>
          Save
        </button>
      ) : (
        <button class="button" onClick={() => void note.finish()}>
          Done
        </button>
      )}
    </>
  );
}

/** What has to be known about the note before reading on. */
function Bars({ of: note }: { of: Note }) {
  const change = note.change.value;
  const theirs = note.theirs.value;
  if (note.isComparing.value) return null;
  return (
    <>
      {note.problem.value !== "" && (
        <div class="note-bar bad" role="alert">
          {note.problem.value}
        </div>
      )}
      {!note.isKept.value && (
        <div class="note-bar bad" role="alert">
          This browser can't keep these words through a reload. Save soon.
        </div>
      )}
      {theirs !== undefined && (
        <div class="note-bar" role="status">
          <span>
            {theirs.etag === undefined
              ? "It was removed meanwhile. Your words are safe here."
              : "It was changed meanwhile. Your words are safe here."}
          </span>
          <button class="link" onClick={() => (note.isComparing.value = true)}>
            Compare
          </button>
        </div>
      )}
      {change !== undefined && theirs === undefined && (
        <div class="note-bar good" role="status">
          <span>{wordsOfChange(change.before, change.after)}</span>
          {!note.isDirty && (
            <button class="link" onClick={() => void note.undo()}>
              Undo
            </button>
          )}
          <button class="link" onClick={() => note.dismissChange()}>
            Seen
          </button>
        </div>
      )}
    </>
  );
}

function wordsOfChange(before: string, after: string): string {
  const { added, cut } = changedLines(before, after);
  const count = added.length;
  if (count === 0)
    return cut.length === 1 ? "Something was just cut." : "Some lines were just cut.";
  return count === 1 ? "1 line was just changed." : `${count} lines were just changed.`;
}

function Content({ of: note }: { of: Note }) {
  const shown = note.shown.value;
  if (note.isComparing.value && note.theirs.value !== undefined) return <Conflict of={note} />;
  if (note.draft.value !== undefined) {
    return (
      <div class="editor-pane">
        <Editor key={note.path} of={note} />
      </div>
    );
  }
  switch (shown.kind) {
    case "loading":
      return <p class="pane-note dim">Loading…</p>;
    case "text":
      return <ReadView of={note} />;
    case "bytes":
      return <BytesView key={shown.version} path={note.path} type={shown.type} size={shown.size} />;
    case "folder":
      return <FolderView path={note.path} />;
    case "missing":
      return <Missing of={note} />;
    case "problem":
      return (
        <p class="pane-note">
          {shown.words}{" "}
          <button class="link" onClick={() => void note.refresh()}>
            Try again
          </button>
        </p>
      );
  }
}

function Missing({ of: note }: { of: Note }) {
  if (note.gone.value !== undefined) {
    return (
      <div class="pane-note missing-note">
        <p>This note was just removed or moved elsewhere.</p>
        <p>
          <button class="button" onClick={() => note.bringBack()}>
            Write it anew from what was here
          </button>
        </p>
      </div>
    );
  }
  return (
    <div class="pane-note missing-note">
      <p>There is no “{partsOf(note.path).name}” yet.</p>
      <p>
        <button class="button" onClick={() => note.edit()}>
          Write it
        </button>
      </p>
    </div>
  );
}
