import { useSignal } from "@preact/signals";
import { useId } from "preact/hooks";
import { Modal } from "../app/modal.tsx";
import { navigate } from "../app/router.ts";
import { moveTo } from "./changes.ts";
import { makeFolder, problemOfPath, putFile, wordsFor } from "./files.ts";
import { refreshFolderOf, reveal, setOpen } from "./folders.ts";

/** Asks for a path, and stays with the reason where it can't be had. */
function NameDialog({
  title,
  label,
  start,
  select,
  verb,
  onClose,
  use,
}: {
  title: string;
  label: string;
  start: string;
  /** Part that is selected, to be typed over. */
  select?: readonly [from: number, to: number];
  verb: string;
  onClose: () => void;
  use: (path: string) => Promise<void>;
}) {
  const path = useSignal(start);
  const problem = useSignal("");
  const isBusy = useSignal(false);
  const id = useId();
  async function submit() {
    const wanted = path.value.trim().replace(/^\/+|\/+$/g, "");
    problem.value = problemOfPath(wanted) ?? "";
    if (problem.value !== "" || isBusy.value) return;
    isBusy.value = true;
    try {
      await use(wanted);
      onClose();
    } catch (error) {
      problem.value = wordsFor(error);
    } finally {
      isBusy.value = false;
    }
  }
  return (
    <Modal label={title} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        <h2 class="modal-title">{title}</h2>
        <div class="name-fields">
          <label for={id}>{label}</label>
          <input
            id={id}
            class="input"
            type="text"
            value={path.value}
            autocomplete="off"
            autocapitalize="off"
            spellcheck={false}
            autofocus
            aria-invalid={problem.value !== ""}
            aria-describedby={`${id}-problem`}
            onFocus={(event) => {
              if (select !== undefined) event.currentTarget.setSelectionRange(...select);
            }}
            onInput={(event) => {
              path.value = event.currentTarget.value;
              problem.value = "";
            }}
          />
          <p id={`${id}-problem`} class="problem" role="alert">
            {problem.value}
          </p>
        </div>
        <div class="modal-actions">
          <button class="button" type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="button primary" disabled={isBusy.value}>
            {verb}
          </button>
        </div>
      </form>
    </Modal>
  );
}

/** A new note, opened for writing. */
export function NewNoteDialog({ folder, onClose }: { folder: string; onClose: () => void }) {
  const start = folder === "" ? "" : `${folder}/`;
  return (
    <NameDialog
      title="New note"
      label="Name, with folders before it if you like"
      start={start}
      verb="Make it"
      onClose={onClose}
      use={async (wanted) => {
        const path = /\.[\p{L}\p{N}]{1,10}$/u.test(wanted) ? wanted : `${wanted}.md`;
        await putFile(path, "", undefined).catch((error: unknown) => {
          throw isThere(error) ? new Error("A file of that name is there already.") : error;
        });
        refreshFolderOf(path);
        reveal(path);
        navigate({ kind: "note", path });
      }}
    />
  );
}

export function NewFolderDialog({ folder, onClose }: { folder: string; onClose: () => void }) {
  return (
    <NameDialog
      title="New folder"
      label="Name"
      start={folder === "" ? "" : `${folder}/`}
      verb="Make it"
      onClose={onClose}
      use={async (path) => {
        await makeFolder(path);
        refreshFolderOf(path);
        reveal(path);
        setOpen(path, true);
      }}
    />
  );
}

/** Another name, another folder, or both. */
export function MoveDialog({ path, onClose }: { path: string; onClose: () => void }) {
  const from = path.lastIndexOf("/") + 1;
  const dot = path.lastIndexOf(".");
  return (
    <NameDialog
      title="Rename or move"
      label="Where it should be"
      start={path}
      select={[from, dot > from ? dot : path.length]}
      verb="Move"
      onClose={onClose}
      use={async (to) => {
        if (to !== path) await moveTo(path, to);
        reveal(to);
      }}
    />
  );
}

function isThere(error: unknown): boolean {
  const { status } = error as { status?: unknown };
  return status === 412 || status === 409;
}

/** What a dialog is about. */
export type Asked =
  | { readonly kind: "note" | "folder"; readonly folder: string }
  | { readonly kind: "move"; readonly path: string };

/** The dialog that was asked for. */
export function AskedDialog({ asked, onClose }: { asked: Asked; onClose: () => void }) {
  switch (asked.kind) {
    case "note":
      return <NewNoteDialog folder={asked.folder} onClose={onClose} />;
    case "folder":
      return <NewFolderDialog folder={asked.folder} onClose={onClose} />;
    case "move":
      return <MoveDialog path={asked.path} onClose={onClose} />;
  }
}
