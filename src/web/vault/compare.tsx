import { useMemo } from "preact/hooks";
import { type Row, sideBySide } from "./line-changes.ts";
import type { Note } from "./note.ts";

/** Lines around a change that are shown, too. */
const AROUND = 3;
/** Rows drawn at most. */
const MAX_ROWS = 4000;

/** Two versions beside each other, and three ways on; whatever is not chosen is kept. */
export function Conflict({ of: note }: { of: Note }) {
  const mine = note.draft.value ?? "";
  const theirs = note.theirs.value ?? { text: "" };
  const isGone = theirs.etag === undefined;
  const isBusy = note.isSaving.value;
  return (
    <section class="conflict" aria-label="Two versions">
      <div class="conflict-words" role="status">
        <p>
          <strong>
            {isGone
              ? "This note was removed while you were writing."
              : "This note was changed while you were writing."}
          </strong>{" "}
          Nothing is lost: what you don't choose stays in the trash.
        </p>
        <div class="conflict-choices">
          <button class="button" disabled={isBusy} onClick={() => void note.choose("mine")}>
            Keep mine
          </button>
          <button class="button" disabled={isBusy} onClick={() => void note.choose("theirs")}>
            {isGone ? "Leave it removed" : "Take the other"}
          </button>
          <button class="button" disabled={isBusy} onClick={() => void note.choose("both")}>
            Keep both
          </button>
        </div>
        <p class="problem" role="alert">
          {note.problem.value}
        </p>
      </div>
      <Columns left={["Mine", mine]} right={["The other", theirs.text]} />
    </section>
  );
}

/** Two texts, line by line; what is the same far from a change is folded. */
export function Columns({
  left: [leftName, left],
  right: [rightName, right],
}: {
  left: readonly [name: string, text: string];
  right: readonly [name: string, text: string];
}) {
  const rows = useMemo(() => folded(sideBySide(left, right)), [left, right]);
  return (
    <div class="columns" tabIndex={0} role="group" aria-label={`${leftName} and ${rightName}`}>
      <table>
        <thead>
          <tr>
            <th scope="col">{leftName}</th>
            <th scope="col">{rightName}</th>
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, MAX_ROWS).map((row, i) =>
            typeof row === "number" ? (
              <tr key={i} class="fold">
                <td colSpan={2}>{row === 1 ? "1 same line" : `${row} same lines`}</td>
              </tr>
            ) : (
              <tr key={i} data-kind={row.kind}>
                <td data-side={row.left === undefined ? "none" : "left"}>{row.left?.text}</td>
                <td data-side={row.right === undefined ? "none" : "right"}>{row.right?.text}</td>
              </tr>
            ),
          )}
        </tbody>
      </table>
      {rows.length > MAX_ROWS && <p class="dim">The rest is too long to be shown here.</p>}
    </div>
  );
}

function folded(rows: readonly Row[]): (Row | number)[] {
  const isNear = new Uint8Array(rows.length);
  rows.forEach(({ kind }, i) => {
    if (kind === "changed")
      isNear.fill(1, Math.max(0, i - AROUND), Math.min(rows.length, i + AROUND + 1));
  });
  const shown: (Row | number)[] = [];
  rows.forEach((row, i) => {
    const last = shown.at(-1);
    if (isNear[i] === 1) shown.push(row);
    else if (typeof last === "number") shown[shown.length - 1] = last + 1;
    else shown.push(1);
  });
  return shown;
}
