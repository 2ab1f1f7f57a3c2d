import { FileText, Folder as FolderIcon } from "lucide";
import { Link } from "../app/link.tsx";
import { Icon } from "../view/icon.tsx";
import { visible } from "./files.ts";
import { folder } from "./folders.ts";

/** Entries drawn at most; the tree has them all. */
const MAX_ENTRIES = 500;

/** A folder's content as a list of links. */
export function FolderView({ path }: { path: string }) {
  const { entries, state, words } = folder(path).value;
  return (
    <div class="pane-scroll folder-page" tabIndex={0}>
      {state === "failed" && <p class="problem">{words}</p>}
      {state === "read" && entries.length === 0 && <p class="dim">This folder is empty.</p>}
      <ul class="plain-list">
        {entries.slice(0, MAX_ENTRIES).map(({ path: at, name, type }) => (
          <li key={at}>
            <Link class="rail-link" to={{ kind: "note", path: at }}>
              <Icon of={type === "dir" ? FolderIcon : FileText} size={16} />
              <span class="ellipsis">{visible(name)}</span>
            </Link>
          </li>
        ))}
      </ul>
      {entries.length > MAX_ENTRIES && (
        <p class="dim">{entries.length - MAX_ENTRIES} more are in the tree.</p>
      )}
    </div>
  );
}
