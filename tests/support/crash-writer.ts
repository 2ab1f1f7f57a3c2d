import { Vault } from "../../src/vault/vault.ts";

/**
 * Run as a program: `crash-writer.ts VAULT SEED`. Writes, moves and deletes as fast as it can until it is killed. Every
 * content says what it is, so that a mixed one can be told: one number, repeated.
 */
const [path, seed] = process.argv.slice(2) as [string, string];
const vault = new Vault({ path, wallMs: () => Date.now() });
const FILES = 8;
console.log("begun");
for (let i = 0; ; i++) {
  const content = (bytes: number) => Buffer.from(`${seed}:${i};`.repeat(Math.ceil(bytes / 10)));
  const write = (file: number) => {
    const body = content(i % 3 === 0 ? 200_000 : 2000);
    return vault.write(`dir/file${file}`, i % 2 === 0 ? body : new Blob([body]).stream(), {
      maxBytes: 1e7,
    });
  };
  await Promise.all(Array.from({ length: FILES }, (_, file) => write(file)));
  await vault.write("moving/a", content(10), { maxBytes: 1e7 }).catch(() => {});
  await vault.move("moving/a", `moved/${seed}-${i}`);
  if (i % 4 === 0) await vault.remove(`moved/${seed}-${i}`);
  process.stdout.write(`${FILES + 1}\n`);
}
