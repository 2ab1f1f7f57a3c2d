import { type Extension, StateEffect, StateField } from "@codemirror/state";
import { Decoration, type DecorationSet, EditorView } from "@codemirror/view";

/** Marks these lines, from 1, and no others. */
export const setMarks = StateEffect.define<readonly number[]>();

const marked = Decoration.line({ class: "cm-changed" });

/** Lines that were changed from elsewhere. */
export function changeMarks(): Extension {
  return StateField.define<DecorationSet>({
    create: () => Decoration.none,
    update(marks, { changes, effects, state }) {
      let now = marks.map(changes);
      for (const effect of effects) {
        if (!effect.is(setMarks)) continue;
        const lines = effect.value.filter((line) => line <= state.doc.lines);
        now = Decoration.set(lines.map((line) => marked.range(state.doc.line(line).from)));
      }
      return now;
    },
    provide: (field) => EditorView.decorations.from(field),
  });
}
