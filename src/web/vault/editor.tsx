import {
  defaultKeymap,
  history,
  historyKeymap,
  indentLess,
  indentMore,
} from "@codemirror/commands";
import {
  deleteMarkupBackward,
  insertNewlineContinueMarkup,
  markdownLanguage,
} from "@codemirror/lang-markdown";
import { syntaxHighlighting, HighlightStyle } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension, Prec, Text, Transaction } from "@codemirror/state";
import { drawSelection, EditorView, keymap, placeholder } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { useSignalEffect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { changeMarks, frontMatter, setMarks } from "./editor-marks.ts";
import { changedLines } from "./line-changes.ts";
import type { Note } from "./note.ts";

/**
 * The editor, in a chunk of its own. It lives in a shadow root: there its styles are constructed sheets, which the
 * page's content policy allows, where a `<style>` in the document would need a hole in it.
 */
export function Editor({ of: note }: { of: Note }) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView>(undefined);
  useEffect(() => {
    if (host.current === null) return;
    const made = makeView(note, host.current);
    view.current = made;
    made.focus();
    return () => made.destroy();
  }, [note]);
  // What comes from elsewhere: another version, marks.
  useSignalEffect(() => {
    const text = note.draft.value;
    if (view.current !== undefined && text !== undefined) takeText(view.current, text);
  });
  useSignalEffect(() => {
    const change = note.change.value;
    if (view.current === undefined) return;
    const lines = change === undefined ? [] : changedLines(change.before, change.after).added;
    view.current.dispatch({ effects: setMarks.of(lines) });
  });
  return <div ref={host} class="editor-host" onKeyDown={keepLettersInside} />;
}

/** Outside of the shadow root a key seems to be typed into no field: lone letters would be the page's shortcuts. */
function keepLettersInside(event: KeyboardEvent): void {
  if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
}

function makeView(note: Note, host: HTMLElement): EditorView {
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const parent = document.createElement("div");
  parent.className = "editor-root";
  root.replaceChildren(parent);
  root.adoptedStyleSheets = [hostStyle()];
  const text = note.draft.peek() ?? "";
  const isMarkdown = /\.(?:md|markdown|mdx)$/i.test(note.path);
  const change = note.change.peek();
  const made = new EditorView({
    root,
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        // The file keeps its line breaks; what is not the break of all lines stays a character.
        EditorState.lineSeparator.of(lineBreakOf(text)),
        EditorState.tabSize.of(2),
        history(),
        drawSelection(),
        search({ top: true }),
        highlightSelectionMatches(),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({
          "aria-label": `Text of ${note.path}`,
          spellcheck: isMarkdown ? "true" : "false",
          autocapitalize: "sentences",
          tabindex: "0",
        }),
        placeholder("Write…"),
        changeMarks(),
        colours(),
        look,
        isMarkdown ? [markdown, frontMatter()] : [],
        keymap.of([
          { key: "Mod-s", preventDefault: true, run: () => (void note.save(), true) },
          { key: "Mod-Enter", preventDefault: true, run: () => (void note.finish(), true) },
          // After Escape, Tab leaves the editor as it does everywhere else (CodeMirror's tab focus mode).
          { key: "Tab", run: indentMore, shift: indentLess },
          ...searchKeymap,
          ...historyKeymap,
          ...defaultKeymap,
        ]),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) note.type(update.state.sliceDoc());
        }),
      ],
    }),
  });
  if (change !== undefined)
    made.dispatch({ effects: setMarks.of(changedLines(change.before, change.after).added) });
  return made;
}

function lineBreakOf(text: string): string {
  return text.includes("\r\n") && !/(?:^|[^\r])\n/.test(text) ? "\r\n" : "\n";
}

/** Puts another text into its place, the cursor staying where it is; one step of undo. */
function takeText(view: EditorView, text: string): void {
  const now = view.state.sliceDoc();
  if (now === text) return;
  const before = view.state.doc.toString();
  const after = view.state.lineBreak === "\n" ? text : text.replaceAll("\r\n", "\n");
  let start = 0;
  const most = Math.min(before.length, after.length);
  while (start < most && before.charCodeAt(start) === after.charCodeAt(start)) start++;
  let end = 0;
  while (
    end < most - start &&
    before.charCodeAt(before.length - 1 - end) === after.charCodeAt(after.length - 1 - end)
  )
    end++;
  view.dispatch({
    changes: {
      from: start,
      to: before.length - end,
      insert: Text.of(after.slice(start, after.length - end).split("\n")),
    },
    annotations: [Transaction.userEvent.of("input.elsewhere")],
  });
}

const markdown: Extension = [
  markdownLanguage,
  Prec.high(
    keymap.of([
      { key: "Enter", run: insertNewlineContinueMarkup },
      { key: "Backspace", run: deleteMarkupBackward },
    ]),
  ),
];

function colours(): Extension {
  return syntaxHighlighting(
    HighlightStyle.define([
      { tag: tags.heading1, fontWeight: "600", fontSize: "1.25em" },
      { tag: tags.heading2, fontWeight: "600", fontSize: "1.12em" },
      { tag: tags.heading, fontWeight: "600" },
      { tag: tags.strong, fontWeight: "600" },
      { tag: tags.emphasis, fontStyle: "italic" },
      { tag: tags.strikethrough, textDecoration: "line-through" },
      { tag: tags.monospace, fontFamily: "var(--mono)", fontSize: "0.9em" },
      { tag: [tags.link, tags.url], color: "var(--accent-strong)" },
      { tag: tags.quote, color: "var(--dim)" },
      { tag: [tags.processingInstruction, tags.meta, tags.comment], color: "var(--dim)" },
    ]),
  );
}

const look = EditorView.theme({
  "&": { height: "100%", color: "var(--text)", backgroundColor: "var(--page)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": {
    fontFamily: "var(--sans)",
    fontSize: "max(var(--size-3), 16px)",
    lineHeight: "1.6",
    overflow: "auto",
  },
  ".cm-content": {
    maxWidth: "calc(72ch + 32px)",
    margin: "0 auto",
    padding: "var(--s5) 0 40vh",
    caretColor: "var(--accent-strong)",
  },
  ".cm-line": { padding: "0 var(--s4)" },
  ".cm-line.cm-changed": {
    boxShadow: "inset 3px 0 0 var(--good)",
    backgroundColor: "var(--good-tint)",
  },
  ".cm-front, .cm-front *": {
    fontFamily: "var(--mono)",
    fontSize: "14px !important",
    fontWeight: "400 !important",
    color: "var(--dim) !important",
  },
  ".cm-cursor": { borderLeftColor: "var(--accent-strong)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground":
    { background: "var(--accent-tint)" },
  ".cm-placeholder": { color: "var(--dim)" },
  ".cm-selectionMatch": { backgroundColor: "var(--tint)" },
  ".cm-searchMatch": { backgroundColor: "var(--accent-tint)" },
  ".cm-searchMatch-selected": { outline: "2px solid var(--accent)" },
  ".cm-specialChar": { color: "var(--bad)" },
  ".cm-panels": { backgroundColor: "var(--sunk)", color: "var(--text)" },
  ".cm-panels.cm-panels-top": { borderBottom: "1px solid var(--line)" },
  ".cm-panel.cm-search": {
    padding: "var(--s2) var(--s6) var(--s2) var(--s4)",
    fontSize: "var(--size-1)",
  },
  ".cm-panel.cm-search [name=close]": {
    width: "28px",
    height: "28px",
    fontSize: "20px",
    color: "var(--dim)",
    cursor: "pointer",
  },
  ".cm-textfield": {
    minHeight: "30px",
    padding: "0 var(--s2)",
    border: "1px solid var(--line-strong)",
    borderRadius: "var(--r1)",
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    fontSize: "inherit",
  },
  ".cm-button": {
    minHeight: "30px",
    padding: "0 var(--s2)",
    border: "1px solid var(--line)",
    borderRadius: "var(--r1)",
    backgroundImage: "none",
    backgroundColor: "var(--raised)",
    color: "var(--text)",
    fontSize: "inherit",
  },
});

/** The page's own styles end at the shadow root. */
function hostStyle(): CSSStyleSheet {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(
    ":host { display: block; height: 100%; } .editor-root { height: 100%; } *, ::before, ::after { box-sizing: border-box; }",
  );
  return sheet;
}
