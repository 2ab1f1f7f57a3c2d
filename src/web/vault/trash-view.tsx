import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ApiError } from "../api/ask.ts";
import { Link } from "../app/link.tsx";
import { Modal } from "../app/modal.tsx";
import { SideHead } from "../app/side-head.tsx";
import { toast } from "../app/toasts.tsx";
import { restore } from "./changes.ts";
import {
  deleteForGood,
  type Entry,
  listPages,
  TRASH,
  trashedFrom,
  visible,
  wordsFor,
} from "./files.ts";

/** One thing that was deleted. */
interface Trashed {
  readonly lies: string;
  readonly path: string;
  readonly isFolder: boolean;
  readonly when: Date | undefined;
}

/** Shown at most, the newest. */
const MAX_SHOWN = 300;

/** What was deleted, newest first, and the way back. */
export function TrashView() {
  const items = useSignal<readonly Trashed[] | undefined>(undefined);
  const problem = useSignal("");
  const asked = useSignal<Trashed | undefined>(undefined);
  const read = async (signal?: AbortSignal) => {
    try {
      items.value = await readTrash(signal);
      problem.value = "";
    } catch (error) {
      if ((error as Error).name !== "AbortError") problem.value = wordsFor(error);
    }
  };
  useEffect(() => {
    const abort = new AbortController();
    void read(abort.signal);
    return () => abort.abort();
  }, []);
  const shown = items.value;
  return (
    <>
      <SideHead title="Trash" />
      <div class="pane-scroll trash" tabIndex={0}>
        <p class="problem" role="alert">
          {problem.value}
        </p>
        {shown?.length === 0 && <p class="dim">Nothing lies in the trash.</p>}
        <ul class="plain-list">
          {shown?.slice(0, MAX_SHOWN).map((item) => (
            <li key={item.lies} class="list-row">
              <span class="list-main">
                <Link to={{ kind: "note", path: item.lies }}>{visible(item.path)}</Link>
                <span class="dim small">
                  {item.isFolder ? "Folder, " : ""}
                  {item.when?.toLocaleString() ?? "some time ago"}
                </span>
              </span>
              <button
                class="button"
                onClick={() => void restore(item.lies, item.path).then(() => read())}
              >
                Restore
              </button>
              <button class="button quiet" onClick={() => (asked.value = item)}>
                Delete
              </button>
            </li>
          ))}
        </ul>
        {shown !== undefined && shown.length > MAX_SHOWN && (
          <p class="dim">{shown.length - MAX_SHOWN} older ones are not listed.</p>
        )}
      </div>
      {asked.value !== undefined && (
        <ForGood
          of={asked.value}
          onClose={() => (asked.value = undefined)}
          onDone={() => void read()}
        />
      )}
    </>
  );
}

function ForGood({
  of,
  onClose,
  onDone,
}: {
  of: Trashed;
  onClose: () => void;
  onDone: () => void;
}) {
  return (
    <Modal label="Delete for good" onClose={onClose}>
      <h2 class="modal-title">Delete for good?</h2>
      <p class="modal-words">{of.path} can't be brought back then.</p>
      <div class="modal-actions">
        <button class="button" autofocus onClick={onClose}>
          Keep it
        </button>
        <button
          class="button danger"
          onClick={() => {
            onClose();
            deleteForGood(`${TRASH}/${trashedFrom(of.lies)?.id ?? ""}`).then(onDone, (error) =>
              toast(`Not deleted: ${wordsFor(error)}`),
            );
          }}
        >
          Delete for good
        </button>
      </div>
    </Modal>
  );
}

async function readTrash(signal: AbortSignal | undefined): Promise<Trashed[]> {
  const byId = new Map<string, Entry[]>();
  try {
    const options = { depth: 34, hidden: true, ...(signal && { signal }) };
    for await (const entries of listPages(TRASH, options)) {
      for (const entry of entries) {
        const from = trashedFrom(entry.path);
        if (from === undefined) continue;
        const others = byId.get(from.id);
        if (others === undefined) byId.set(from.id, [entry]);
        else others.push(entry);
      }
    }
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
  return [...byId]
    .flatMap(([id, entries]) => trashedOf(id, entries) ?? [])
    .toSorted((a, b) => (a.lies < b.lies ? 1 : -1));
}

/** The deleted thing: below folders that hold nothing else, which are only the way to it. */
function trashedOf(id: string, entries: readonly Entry[]): Trashed | undefined {
  let found: Entry | undefined;
  let folder = `${TRASH}/${id}`;
  for (;;) {
    const inside = entries.filter(({ path, name }) => path === `${folder}/${name}`);
    const [only] = inside;
    if (inside.length !== 1 || only === undefined) break;
    found = only;
    if (only.type !== "dir") break;
    folder = only.path;
  }
  if (found === undefined) return undefined;
  const [, date, hours, minutes, seconds] =
    /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d)Z/.exec(id) ?? [];
  return {
    lies: found.path,
    path: trashedFrom(found.path)?.path ?? found.name,
    isFolder: found.type === "dir",
    when: date === undefined ? undefined : new Date(`${date}T${hours}:${minutes}:${seconds}Z`),
  };
}
