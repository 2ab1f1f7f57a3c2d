import { signal } from "@preact/signals";
import { Modal } from "./modal.tsx";
import { Keys } from "./palette.tsx";
import { allShortcuts } from "./shortcuts.ts";

export const isHelpOpen = signal(false);

/** All keys, on one page. */
export function Help() {
  if (!isHelpOpen.value) return null;
  return (
    <Modal label="Keys" onClose={() => (isHelpOpen.value = false)}>
      <h2 class="modal-title">Keys</h2>
      <dl class="key-list">
        {allShortcuts().map(({ keys, title }) => (
          <div key={keys} class="key-row">
            <dt>{title}</dt>
            <dd>
              <Keys of={keys} />
            </dd>
          </div>
        ))}
      </dl>
      <div class="modal-actions">
        <button class="button" onClick={() => (isHelpOpen.value = false)}>
          Close
        </button>
      </div>
    </Modal>
  );
}
