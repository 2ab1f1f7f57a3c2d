/**
 * `bun run docs`: makes docs/threat-model.md, and the table of SECURITY.md, from the checks of `nest audit`.
 *
 * With `--check` it writes nothing, and fails if they are not current.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { CHECKS } from "../src/audit/checks.ts";
import { BEGIN, END, threatModel, threatTable } from "../src/audit/threat-model.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const read = (path: string) => readFileSync(`${root}${path}`, "utf8");

/** Each document as it should be. */
export function documents(): ReadonlyMap<string, string> {
  const security = read("SECURITY.md");
  const [before, rest] = security.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error("SECURITY.md: the marks around its table are gone");
  return new Map([
    ["docs/threat-model.md", formatted(threatModel(CHECKS))],
    ["SECURITY.md", formatted(`${before}${BEGIN}\n\n${threatTable(CHECKS)}\n\n${END}${after}`)],
  ]);
}

/** As `bun run fmt` leaves it, so that neither undoes what the other did. */
function formatted(markdown: string): string {
  const { stdout, success } = Bun.spawnSync(
    [process.execPath, "fmt", "--no-script", "--stdin-filepath", "x.md"],
    { cwd: root, stdin: Buffer.from(markdown) },
  );
  if (!success) throw new Error("cannot format the documents");
  return stdout.toString();
}

if (import.meta.main) {
  const isCheck = process.argv.includes("--check");
  for (const [path, text] of documents()) {
    let now = "";
    try {
      now = read(path);
    } catch {
      // Not there yet.
    }
    if (now === text) continue;
    if (isCheck) {
      console.error(`${path} is not current: run "bun run docs"`);
      process.exitCode = 1;
    } else {
      writeFileSync(`${root}${path}`, text);
      console.log(path);
    }
  }
}
