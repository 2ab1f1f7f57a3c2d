/**
 * One line from standard input without its newline. On a terminal it asks on stderr and does not show what is typed.
 */
export async function readSecretLine(question: string): Promise<string> {
  const { stdin, stderr } = process;
  if (!stdin.isTTY) {
    const [line = ""] = (await Bun.stdin.text()).split(/\r?\n/, 1);
    return line;
  }
  // Before it asks: who is quick would see the first letters.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.resume();
  try {
    return await typedLine(stdin);
  } finally {
    stdin.pause();
    stdin.setRawMode(false);
    stderr.write("\n");
  }
}

/** By events: leaving a loop over the stream would close it, and others read on from it. */
function typedLine(stdin: NodeJS.ReadStream): Promise<string> {
  return new Promise((resolve) => {
    let line = "";
    const end = (result: string) => {
      stdin.off("data", read);
      stdin.off("end", close);
      resolve(result);
    };
    const close = () => end(line);
    const read = (chunk: Buffer | string) => {
      for (const character of String(chunk)) {
        if (character === "\r" || character === "\n") return end(line);
        // Ctrl-C and Ctrl-D end it, as they would without raw mode.
        if (character === "\u0003" || character === "\u0004") return end("");
        line = character === "\u007f" ? line.slice(0, -1) : line + character;
      }
    };
    stdin.on("data", read);
    stdin.on("end", close);
  });
}
