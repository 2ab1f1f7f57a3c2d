import { type EditorState, type Extension, StateEffect, StateField } from "@codemirror/state";
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

const front = Decoration.line({ class: "cm-front" });
/** Front matter is looked for in so many lines. */
const MAX_FRONT_LINES = 200;

/** Sets front matter apart, which Markdown takes for a heading. */
export function frontMatter(): Extension {
  return StateField.define<DecorationSet>({
    create: frontOf,
    update: (lines, { docChanged, state }) => (docChanged ? frontOf(state) : lines),
    provide: (field) => EditorView.decorations.from(field),
  });
}

function frontOf({ doc }: EditorState): DecorationSet {
  if (!/^---\s*$/.test(doc.line(1).text)) return Decoration.none;
  const most = Math.min(doc.lines, MAX_FRONT_LINES);
  for (let end = 2; end <= most; end++) {
    if (!/^---\s*$/.test(doc.line(end).text)) continue;
    const lines = Array.from({ length: end }, (_, i) => front.range(doc.line(i + 1).from));
    return Decoration.set(lines);
  }
  return Decoration.none;
}
