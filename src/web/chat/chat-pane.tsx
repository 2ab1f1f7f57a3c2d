/** One session's conversation. */
export function ChatPane({ name }: { name: string }) {
  return <p class="pane-note dim">{name}</p>;
}
