import { useSignal } from "@preact/signals";
import {
  ChevronRight,
  Ellipsis,
  FilePlus,
  FileText,
  File as FileIcon,
  FolderPlus,
  Image,
  Link2,
  Trash2,
  Upload,
} from "lucide";
import { useEffect, useId, useRef } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { navigate, openNote } from "../app/router.ts";
import { Icon } from "../view/icon.tsx";
import { moveTo, trashWithUndo } from "./changes.ts";
import { type Entry, joined, partsOf, TRASH, visible, wordsFor } from "./files.ts";
import { folder, refreshFolderOf, reveal, setOpen, type TreeRow, treeRows } from "./folders.ts";
import { Menu } from "./menu.tsx";
import { type Asked, AskedDialog } from "./name-dialog.tsx";
import { scrollToRow, useRowWindow } from "./row-window.ts";
import { filesOf, pickedFiles, upload } from "./upload.ts";
import { UploadLine } from "./upload-line.tsx";
import { toast } from "../app/toasts.tsx";

/** What a dragged row is known by; nothing of ours is read from other drags. */
const DRAGGED = "application/x-nest-path";
/** Letters typed within so long belong together, ms. */
const TYPED_MS = 800;

/**
 * The vault's folders and files: what can be made above, the tree below, only what is seen of it being drawn.
 *
 * @param isPage - it is all that is shown, and not part of the rail
 */
export function VaultTree({ isPage = false }: { isPage?: boolean }) {
  const Heading = isPage ? "h1" : "h2";
  const asked = useSignal<Asked | undefined>(undefined);
  const picker = useRef<HTMLInputElement>(null);
  const into = useSignal("");
  const pick = (target: string) => {
    into.value = target;
    picker.current?.click();
  };
  return (
    <>
      <header class="tree-head">
        <Heading class="rail-title">Vault</Heading>
        <button
          class="icon-button small"
          aria-label="New note"
          title="New note"
          onClick={() => (asked.value = { kind: "note", folder: folderNow() })}
        >
          <Icon of={FilePlus} size={16} />
        </button>
        <button
          class="icon-button small"
          aria-label="New folder"
          title="New folder"
          onClick={() => (asked.value = { kind: "folder", folder: folderNow() })}
        >
          <Icon of={FolderPlus} size={16} />
        </button>
        <button
          class="icon-button small"
          aria-label="Upload files"
          title="Upload files"
          onClick={() => pick(folderNow())}
        >
          <Icon of={Upload} size={16} />
        </button>
        <Link
          class="icon-button small"
          to={{ kind: "note", path: TRASH }}
          aria-label="Trash"
          title="Trash"
        >
          <Icon of={Trash2} size={16} />
        </Link>
      </header>
      <input
        ref={picker}
        class="visually-hidden"
        type="file"
        multiple
        tabIndex={-1}
        aria-label="Files to upload"
        onChange={(event) => {
          upload(pickedFiles(event.currentTarget.files ?? [], into.value));
          event.currentTarget.value = "";
        }}
      />
      <Rows ask={(what) => (asked.value = what)} pick={pick} />
      <UploadLine />
      {asked.value !== undefined && (
        <AskedDialog asked={asked.value} onClose={() => (asked.value = undefined)} />
      )}
    </>
  );
}

/** Where new things go: beside the note that is open. */
function folderNow(): string {
  const open = openNote.peek();
  if (open === undefined || open.startsWith(TRASH)) return "";
  const isFolder = treeRows.peek().some(({ entry }) => entry.path === open && entry.type === "dir");
  return isFolder ? open : partsOf(open).folder;
}

function Rows({ ask, pick }: { ask: (what: Asked) => void; pick: (folder: string) => void }) {
  const rows = treeRows.value;
  const root = folder("").value;
  const scroller = useRef<HTMLDivElement>(null);
  const { first, end, rowHeight } = useRowWindow(scroller, rows.length);
  const chosen = useSignal<string | undefined>(undefined);
  const dropAt = useSignal<string | undefined>(undefined);
  const typed = useRef({ text: "", at: 0 });
  const id = useId();
  const open = openNote.value;
  useEffect(() => {
    if (open === undefined || open.startsWith(`${TRASH}/`) || open === TRASH) return;
    reveal(open);
    chosen.value = open;
  }, [open]);
  const at = rows.findIndex(({ entry }) => entry.path === chosen.value);
  useEffect(() => {
    if (at !== -1 && scroller.current !== null) scrollToRow(scroller.current, at, rowHeight);
  }, [at, rowHeight]);

  function choose(index: number) {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))];
    if (row !== undefined) chosen.value = row.entry.path;
  }
  function activate({ entry, isOpen }: TreeRow) {
    chosen.value = entry.path;
    if (entry.type === "dir") setOpen(entry.path, !isOpen);
    else navigate({ kind: "note", path: entry.path });
  }
  function onKey(event: KeyboardEvent) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = rows[at];
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / rowHeight) - 1);
    switch (event.key) {
      case "ArrowDown":
        choose(at + 1);
        break;
      case "ArrowUp":
        choose(at - 1);
        break;
      case "PageDown":
        choose(at + page);
        break;
      case "PageUp":
        choose(at - page);
        break;
      case "Home":
        choose(0);
        break;
      case "End":
        choose(rows.length - 1);
        break;
      case "ArrowRight":
        if (row?.entry.type !== "dir") return;
        if (row.isOpen) choose(at + 1);
        else setOpen(row.entry.path, true);
        break;
      case "ArrowLeft":
        if (row === undefined) return;
        if (row.isOpen) setOpen(row.entry.path, false);
        else if (row.depth > 0) chosen.value = partsOf(row.entry.path).folder;
        break;
      case "Enter":
      case " ":
        if (row === undefined) return;
        activate(row);
        break;
      case "F2":
        if (row === undefined) return;
        ask({ kind: "move", path: row.entry.path });
        break;
      case "Delete":
        if (row === undefined) return;
        choose(at === rows.length - 1 ? at - 1 : at + 1);
        void trashWithUndo(row.entry.path);
        break;
      default:
        if (event.key.length !== 1) return;
        typeAhead(event.key);
    }
    event.preventDefault();
    event.stopPropagation();
  }
  function typeAhead(letter: string) {
    const now = performance.now();
    const { text, at: before } = typed.current;
    const wanted = (now - before < TYPED_MS ? text : "") + letter.toLowerCase();
    typed.current = { text: wanted, at: now };
    const from = wanted.length === 1 ? at + 1 : Math.max(0, at);
    for (let i = 0; i < rows.length; i++) {
      const index = (from + i) % rows.length;
      if (rows[index]?.entry.name.toLowerCase().startsWith(wanted) === true) {
        choose(index);
        return;
      }
    }
  }
  const targetOf = (entry: Entry | undefined) =>
    entry === undefined ? "" : entry.type === "dir" ? entry.path : partsOf(entry.path).folder;
  async function onDrop(data: DataTransfer, target: string) {
    const from = data.getData(DRAGGED);
    if (from === "") {
      upload(await filesOf(data, target));
      return;
    }
    const to = joined(target, partsOf(from).name);
    if (to === from || target === from || target.startsWith(`${from}/`)) return;
    await moveTo(from, to).then(
      () => toast(`Moved to ${to}.`, { label: "Undo", run: () => void moveBack(to, from) }),
      (error) => toast(`Not moved: ${wordsFor(error)}`),
    );
  }
  const dragProps = (target: string) => ({
    onDragOver: (event: DragEvent) => {
      const types = event.dataTransfer?.types ?? [];
      if (!types.includes("Files") && !types.includes(DRAGGED)) return;
      event.preventDefault();
      event.stopPropagation();
      dropAt.value = target;
    },
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      event.stopPropagation();
      dropAt.value = undefined;
      if (event.dataTransfer !== null) void onDrop(event.dataTransfer, target);
    },
  });

  const isEmpty = root.state === "read" && rows.length === 0;
  return (
    <div
      class="tree-box"
      data-drop={dropAt.value === ""}
      {...dragProps("")}
      onDragLeave={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget as Node | null))
          dropAt.value = undefined;
      }}
    >
      {root.state === "failed" && (
        <p class="pane-note problem">
          {root.words}{" "}
          <button class="link" onClick={() => refreshFolderOf("")}>
            Try again
          </button>
        </p>
      )}
      {root.state === "reading" && rows.length === 0 && <p class="pane-note dim">Loading…</p>}
      {isEmpty && (
        <p class="pane-note dim">
          Nothing is here yet. Make a note, or drop files and folders here.
        </p>
      )}
      {rows.length > 0 && (
        <div
          ref={scroller}
          class="tree"
          role="tree"
          aria-label="Files"
          tabIndex={0}
          aria-activedescendant={at >= first && at < end ? `${id}-${at}` : undefined}
          onKeyDown={onKey}
          onFocus={() => {
            if (at === -1) choose(0);
          }}
        >
          <div
            class="tree-rows"
            role="presentation"
            style={{ height: `${rows.length * rowHeight}px` }}
          >
            {rows.slice(first, end).map((row, i) => (
              <Row
                key={row.entry.path}
                id={`${id}-${first + i}`}
                row={row}
                top={(first + i) * rowHeight}
                isChosen={first + i === at}
                isShown={row.entry.path === open}
                isDropTarget={row.entry.type === "dir" && dropAt.value === row.entry.path}
                drag={dragProps(targetOf(row.entry))}
                onActivate={() => activate(row)}
                ask={ask}
                pick={pick}
              />
            ))}
          </div>
        </div>
      )}
    </div>
  );
}

async function moveBack(from: string, to: string): Promise<void> {
  await moveTo(from, to).catch((error) => toast(`Not moved: ${wordsFor(error)}`));
}

function Row({
  id,
  row: { entry, depth, position, siblings, isOpen },
  top,
  isChosen,
  isShown,
  isDropTarget,
  drag,
  onActivate,
  ask,
  pick,
}: {
  id: string;
  row: TreeRow;
  top: number;
  isChosen: boolean;
  isShown: boolean;
  isDropTarget: boolean;
  drag: object;
  onActivate: () => void;
  ask: (what: Asked) => void;
  pick: (folder: string) => void;
}) {
  const isFolder = entry.type === "dir";
  const { path } = entry;
  return (
    <div
      id={id}
      class="tree-row"
      role="treeitem"
      aria-level={depth + 1}
      aria-posinset={position}
      aria-setsize={siblings}
      aria-expanded={isFolder ? isOpen : undefined}
      aria-selected={isShown}
      aria-label={entry.name}
      data-chosen={isChosen}
      data-drop={isDropTarget}
      style={{ top: `${top}px`, paddingInlineStart: `${8 + Math.min(depth, 12) * 14}px` }}
      title={entry.name}
      draggable
      onDragStart={(event) => {
        event.dataTransfer?.setData(DRAGGED, path);
        if (event.dataTransfer) event.dataTransfer.effectAllowed = "move";
      }}
      {...drag}
      onClick={onActivate}
    >
      <span class="tree-mark" data-open={isOpen}>
        <Icon of={isFolder ? ChevronRight : iconOf(entry)} size={isFolder ? 14 : 15} />
      </span>
      <span class="tree-name ellipsis">{shownName(entry)}</span>
      <span class="reveal">
        <Menu
          icon={Ellipsis}
          label={`More about ${entry.name}`}
          isSmall
          tabIndex={-1}
          items={[
            ...(isFolder
              ? [
                  { title: "New note here…", run: () => ask({ kind: "note", folder: path }) },
                  { title: "New folder here…", run: () => ask({ kind: "folder", folder: path }) },
                  { title: "Upload files here…", run: () => pick(path) },
                ]
              : []),
            { title: "Rename or move…", run: () => ask({ kind: "move", path }) },
            { title: "Move to the trash", run: () => void trashWithUndo(path) },
          ]}
        />
      </span>
    </div>
  );
}

function iconOf({ name, type }: Entry) {
  if (type === "link") return Link2;
  if (/\.(?:png|jpe?g|gif|webp|avif|svg|bmp)$/i.test(name)) return Image;
  return /\.(?:md|markdown|txt)$/i.test(name) ? FileText : FileIcon;
}

/** Notes without their ending, as people call them. */
function shownName({ name, type }: Entry): string {
  return visible(type === "file" && name.length > 3 ? name.replace(/\.md$/i, "") : name);
}
