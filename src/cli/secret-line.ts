/**
 * One line from standard input without its newline. On a terminal it asks on stderr and does not show what is typed.
 */
export async function readSecretLine(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    const [line = ""] = (await Bun.stdin.text()).split(/\r?\n/, 1);
    return line;
  }
  stderr.write(question);
  stdin.setRawMode(true);
  try {
    let line = "";
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (character === "\r" || character === "\n") return line;
        // Ctrl-C and Ctrl-D end it, as they would without raw mode.
        if (character === "\u0003" || character === "\u0004") return "";
        line = character === "\u007f" ? line.slice(0, -1) : line + character;
      }
    }
    return line;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write("\n");
  }
}
