import { useSignal } from "@preact/signals";
import { useEffect, useId, useRef } from "preact/hooks";
import { type Command, findCommands, palette, type PaletteMode } from "./commands.ts";
import { Modal } from "./modal.tsx";
import { shownKeys } from "./shortcuts.ts";

/** Rows shown at most. */
const MAX_ROWS = 50;

const WORDS: Record<PaletteMode, { label: string; hint: string; none: string }> = {
  commands: { label: "Commands", hint: "What would you like to do?", none: "Nothing of that name" },
  files: { label: "Open a note", hint: "Name of a note or file", none: "No file of that name" },
};

/** Everything by name: type, choose with the arrows, Enter. */
export function Palette() {
  const mode = palette.value;
  return mode === undefined ? null : <OpenPalette key={mode} mode={mode} />;
}

function OpenPalette({ mode }: { mode: PaletteMode }) {
  const query = useSignal("");
  const rows = useSignal<readonly Command[]>([]);
  const chosen = useSignal(0);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const words = WORDS[mode];
  const close = () => (palette.value = undefined);

  useEffect(() => {
    const abort = new AbortController();
    void findCommands(mode, query.value, abort.signal).then((found) => {
      if (abort.signal.aborted) return;
      rows.value = found.slice(0, MAX_ROWS);
      chosen.value = 0;
    });
    return () => abort.abort();
  }, [mode, query.value]);
  useEffect(() => {
    list.current?.children[chosen.value]?.scrollIntoView({ block: "nearest" });
  }, [chosen.value]);

  function run(command: Command | undefined) {
    if (command === undefined) return;
    close();
    command.run();
  }

  return (
    <Modal label={words.label} onClose={close}>
      <input
        class="palette-input"
        type="text"
        role="combobox"
        aria-expanded="true"
        aria-controls={id}
        aria-activedescendant={rows.value.length > 0 ? `${id}-${chosen.value}` : undefined}
        aria-label={words.label}
        placeholder={words.hint}
        autocomplete="off"
        spellcheck={false}
        autofocus
        onInput={(event) => (query.value = event.currentTarget.value)}
        onKeyDown={(event) => {
          const count = rows.value.length;
          if (event.key === "ArrowDown" && count > 0) chosen.value = (chosen.value + 1) % count;
          else if (event.key === "ArrowUp" && count > 0)
            chosen.value = (chosen.value + count - 1) % count;
          else if (event.key === "Enter" && !event.isComposing) run(rows.value[chosen.value]);
          else return;
          event.preventDefault();
        }}
      />
      <ul ref={list} id={id} class="palette-rows" role="listbox" aria-label={words.label}>
        {rows.value.map((command, i) => (
          <li
            key={command.id}
            id={`${id}-${i}`}
            class="palette-row"
            role="option"
            aria-selected={i === chosen.value}
            onPointerMove={() => (chosen.value = i)}
            onClick={() => run(command)}
          >
            <span class="palette-title">{command.title}</span>
            {command.detail && <span class="dim ellipsis">{command.detail}</span>}
            {command.keys && <Keys of={command.keys} />}
          </li>
        ))}
      </ul>
      {rows.value.length === 0 && query.value !== "" && (
        <p class="palette-none dim">{words.none}</p>
      )}
    </Modal>
  );
}

/** A shortcut as keycaps. */
export function Keys({ of }: { of: string }) {
  return (
    <span class="keys">
      {shownKeys(of).map((key) => (
        <kbd key={key}>{key}</kbd>
      ))}
    </span>
  );
}
