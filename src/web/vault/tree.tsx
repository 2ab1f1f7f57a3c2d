/** The vault's folders and files. */
export function VaultTree() {
  return <p class="pane-note dim">The vault's tree is on its way.</p>;
}
