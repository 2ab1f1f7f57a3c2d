import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { Vault } from "../../src/vault/vault.ts";
import type { Lab } from "./lab.ts";
import type { BenchOptions } from "./options.ts";
import { interleave } from "./rounds.ts";
import { median, ratios, spread } from "./statistics.ts";
import { printTable } from "./table.ts";
import type { Target, Verdicts } from "./verdict.ts";

const SHALLOW = "note.md";
const DEEP = "a/b/c/d/note.md";
const FILES = 10_000;

interface Row {
  readonly name: string;
  readonly ours: () => unknown;
  readonly bare: () => unknown;
  /** Runs in one sample. */
  readonly times: number;
  /** How many times the bare time it may take at most. */
  readonly most?: number;
}

/** What the jail costs, in this process and without HTTP: the vault beside the bare calls of node:fs. */
export async function benchVault(
  lab: Lab,
  { rounds }: BenchOptions,
  verdicts: Verdicts,
): Promise<void> {
  const root = lab.dir();
  mkdirSync(join(root, "a/b/c/d"), { recursive: true });
  mkdirSync(join(root, "many"));
  const note = Buffer.from("x".repeat(1024));
  for (const path of [SHALLOW, DEEP]) writeFileSync(join(root, path), note);
  for (let i = 0; i < FILES; i++) writeFileSync(join(root, "many", `${i}.md`), "x");
  const vault = new Vault({ path: root, wallMs: () => Date.now() });

  /** As raw as an atomic write can be, and with the folder on the disk too. */
  let temps = 0;
  const writeRaw = (isFolderSynced: boolean) => {
    const temp = join(root, `raw-${temps++}`);
    const descriptor = openSync(temp, "wx");
    writeSync(descriptor, note);
    fsyncSync(descriptor);
    closeSync(descriptor);
    renameSync(temp, join(root, "raw.md"));
    if (!isFolderSynced) return;
    const folder = openSync(root, "r");
    fsyncSync(folder);
    closeSync(folder);
  };
  const write = () => vault.write("ours.md", note, { maxBytes: 1e6 });
  const listRaw = () =>
    readdirSync(join(root, "many"))
      .toSorted()
      .map((name) => ({ name, size: lstatSync(join(root, "many", name)).size }));

  const rows: readonly Row[] = [
    {
      name: "read 1 KiB at depth 1, hashed ÷ readFileSync",
      ours: () => vault.open(SHALLOW),
      bare: () => readFileSync(join(root, SHALLOW)),
      times: 2000,
    },
    {
      name: "read 1 KiB at depth 5, hashed ÷ readFileSync",
      ours: () => vault.open(DEEP),
      bare: () => readFileSync(join(root, DEEP)),
      times: 2000,
    },
    {
      name: "write 1 KiB ÷ temp, fsync, rename, fsync of the folder",
      ours: write,
      bare: () => writeRaw(true),
      times: 50,
      most: 1.25,
    },
    {
      name: "write 1 KiB ÷ temp, fsync, rename alone",
      ours: write,
      bare: () => writeRaw(false),
      times: 50,
    },
    {
      name: "list 10,000 files ÷ readdir and lstat, sorted",
      ours: () => vault.list("many", { limit: FILES }),
      bare: listRaw,
      times: 1,
      most: 3,
    },
  ];
  const lines = [["", "bare, µs", "vault, µs", "ratio", "target"]];
  for (const row of rows) {
    const samples = await interleave(
      [
        { name: "bare", measure: () => microseconds(row.bare, row.times) },
        { name: "vault", measure: () => microseconds(row.ours, row.times) },
      ],
      rounds,
    );
    const [bare, ours] = [samples.get("bare") ?? [], samples.get("vault") ?? []];
    // Targets are least ratios elsewhere: here it is the time that has a limit.
    const target: Target | undefined = row.most === undefined ? undefined : { least: 1 / row.most };
    lines.push([
      row.name,
      median(bare).toFixed(1),
      median(ours).toFixed(1),
      spread(ratios(ours, bare)),
      verdicts.judge(median(ratios(bare, ours)), target),
    ]);
  }
  vault.close();
  printTable("The vault beside node:fs, without HTTP: median (middle half)", lines);
}

/** For one run. */
async function microseconds(run: () => unknown, times: number): Promise<number> {
  const startMs = performance.now();
  for (let i = 0; i < times; i++) {
    const result = run();
    if (result instanceof Promise) await result;
  }
  return ((performance.now() - startMs) * 1000) / times;
}
