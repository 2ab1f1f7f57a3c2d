/** A line for the person or script that ran the command, on standard output. */
export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
