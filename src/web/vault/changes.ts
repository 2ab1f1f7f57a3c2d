import { closeSide, navigate, openNote } from "../app/router.ts";
import { toast } from "../app/toasts.tsx";
import { move, moveBeside, sweepTrash, trash, trashedFrom, wordsFor } from "./files.ts";
import { refreshFolderOf } from "./folders.ts";
import { moveDrafts } from "./note-draft.ts";

/** Into the trash, with a way back at hand. */
export async function trashWithUndo(path: string): Promise<void> {
  let lies: string | undefined;
  try {
    lies = await trash(path);
  } catch (error) {
    toast(`${path} was not deleted: ${wordsFor(error)}`);
    return;
  }
  refreshFolderOf(path);
  if (isOrHolds(path, openNote.value)) closeSide();
  const at = lies;
  toast(
    `${path} lies in the trash.`,
    at === undefined ? undefined : { label: "Undo", run: () => void restore(at, path) },
  );
}

/** Back from the trash to where it was, or beside what is there now. */
export async function restore(lies: string, path: string): Promise<boolean> {
  try {
    const to = await moveBeside(lies, path);
    await sweepTrash(lies);
    refreshFolderOf(to);
    toast(
      to === path ? `${path} is back.` : `Something is at ${path} by now: it is back as ${to}.`,
    );
    if (trashedFrom(lies) !== undefined && openNote.value === lies)
      navigate({ kind: "note", path: to }, { replace: true });
    return true;
  } catch (error) {
    toast(`Not restored: ${wordsFor(error)}`);
    return false;
  }
}

/** To another name or folder; what is open goes with it. @throws {ApiError} */
export async function moveTo(from: string, to: string): Promise<void> {
  await move(from, to);
  moveDrafts(from, to);
  refreshFolderOf(from);
  refreshFolderOf(to);
  const open = openNote.value;
  if (open !== undefined && isOrHolds(from, open))
    navigate({ kind: "note", path: to + open.slice(from.length) }, { replace: true });
}

function isOrHolds(path: string, open: string | undefined): boolean {
  return open !== undefined && (open === path || open.startsWith(`${path}/`));
}
