import {
  closeSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  rmdirSync,
  unlinkSync,
} from "node:fs";

/**
 * Run as a program: `target-maker.ts file|folder PATH`. Makes something where nothing is and removes it again, in a tight
 * loop. Nobody else removes it, so what is there in between must be what it made. Ends with its standard input and says
 * how often it made something and how often that had been overwritten.
 */
const [kind, path] = process.argv.slice(2) as [string, string];

function make(): number {
  if (kind === "folder") {
    mkdirSync(path);
    return lstatSync(path).ino;
  }
  const descriptor = openSync(path, "wx");
  const { ino } = fstatSync(descriptor);
  closeSync(descriptor);
  return ino;
}

let made = 0;
let overwritten = 0;
process.stdin.on("end", () => {
  console.log(JSON.stringify({ made, overwritten }));
  process.exit(0);
});
process.stdin.resume();
console.log("begun");
for (;;) {
  for (let i = 0; i < 500; i++) {
    let ino: number;
    try {
      ino = make();
    } catch {
      // The other's is there.
      continue;
    }
    made++;
    // Time for the other one.
    for (let look = 0; look < 5; look++) lstatSync(path, { throwIfNoEntry: false });
    if (lstatSync(path, { throwIfNoEntry: false })?.ino !== ino) overwritten++;
    else if (kind === "folder") rmdirSync(path);
    else unlinkSync(path);
  }
  await new Promise((resolve) => setImmediate(resolve));
}
