import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { ROUTES } from "../../src/auth/permissions.ts";
import { PROBLEM_STATUS } from "../../src/http/problem.ts";
import { VAULT_STATUS } from "../../src/vault/error.ts";

/** The tables in which users look up a code, against the code: a merge leaves rows out, or twice. */

const doc = (name: string) => readFileSync(join(import.meta.dir, "..", "..", "docs", name), "utf8");

/** Codes in the first cells of a table's rows that also have a status. */
function codesIn(table: string): string[] {
  const cells = table
    .split("\n")
    .filter((line) => line.startsWith("|") && /\| \d{3} /.test(line))
    .map((line) => line.split("|").slice(1, 3).join());
  return [...cells.join().matchAll(/`([a-z_]+)`/g)].map(([, code]) => code as string);
}

const section = (text: string, heading: string) => text.split(`\n## ${heading}\n`)[1] as string;

describe("docs", () => {
  test("every code of a refusal stands in its table, once", () => {
    // What is missing in the vault is missing elsewhere, too.
    const ours = Object.keys(PROBLEM_STATUS).filter(
      (code) => code === "not_found" || !(code in VAULT_STATUS),
    );
    expect(codesIn(section(doc("http-api.md"), "Errors")).toSorted()).toEqual(ours.toSorted());
    const vault = section(doc("vault.md"), "Paths").split("\n## ")[0] as string;
    expect(codesIn(vault).toSorted()).toEqual(Object.keys(VAULT_STATUS).toSorted());
  });

  test("every route of the API stands in its table", () => {
    const [table] = doc("http-api.md").split("\n```sh");
    const paths = Object.keys(ROUTES)
      .map((route) => route.slice(route.indexOf(" ") + 1))
      .filter((path) => path.startsWith("/api/") && !path.startsWith("/api/files/"))
      .map((path) => path.replace(/:([a-z]+)/g, "{$1}"));
    for (const path of paths) expect(table).toContain(`\`${path}\``);
  });
});
