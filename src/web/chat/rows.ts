import type { Item, ToolItem } from "./items.ts";

/** Steps in a row that fold into one line. */
const FOLD = 10;

export type Row =
  | { readonly key: string; readonly item: Item }
  | { readonly key: string; readonly tools: readonly ToolItem[] };

/** Items as rows: ten tools and more in a row are one. */
export function rowsOf(items: readonly Item[]): Row[] {
  const rows: Row[] = [];
  let run: ToolItem[] = [];
  const flush = () => {
    const [first] = run;
    if (first !== undefined && run.length >= FOLD) rows.push({ key: `g${first.id}`, tools: run });
    else for (const item of run) rows.push({ key: `i${item.id}`, item });
    run = [];
  };
  for (const item of items) {
    if (item.kind === "tool") run.push(item);
    else {
      flush();
      rows.push({ key: `i${item.id}`, item });
    }
  }
  flush();
  return rows;
}
