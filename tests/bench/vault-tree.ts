import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** 50,000 notes in 5,000 folders, in 50 more. */
export const FILES = 50_000;
export const FOLDERS = 5_050;

const TEXT = "Lorem ipsum dolor sit amet, consectetur adipiscing elit.\n".repeat(12);

/** The path of a note of {@link makeTree}. */
export function noteAt(i: number): string {
  const folder = Math.floor(i / 10);
  return `a${folder % 50}/b${folder}/n${i % 10}.md`;
}

/** Writes the notes. */
export function makeTree(vault: string): void {
  for (let i = 0; i < FILES; i++) {
    const path = join(vault, noteAt(i));
    if (i % 10 === 0) mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, `Note ${i}\n${TEXT}`);
  }
}
