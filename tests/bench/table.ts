/** Prints rows of text in aligned columns, the first to the left, the others to the right. */
export function printTable(title: string, rows: readonly (readonly string[])[]): void {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, Bun.stringWidth(cell));
    }
  }
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => {
        const space = " ".repeat((widths[column] as number) - Bun.stringWidth(cell));
        return column === 0 ? cell + space : space + cell;
      })
      .join("  ")
      .trimEnd();
  const [head = [], ...body] = rows;
  console.log(`\n${title}\n`);
  console.log(line(head));
  console.log(widths.map((width) => "-".repeat(width)).join("  "));
  for (const row of body) console.log(line(row));
}
