/** A note or file, read or edited. */
export function NotePane({ path }: { path: string }) {
  return <p class="pane-note dim">{path}</p>;
}
