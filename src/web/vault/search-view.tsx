/** Names and contents of the vault, searched. */
export function SearchView({ query }: { query: string }) {
  return <p class="pane-note dim">Search: {query}</p>;
}
