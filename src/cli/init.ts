import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { digestOf } from "../auth/authenticator.ts";
import { newToken } from "../auth/new-token.ts";
import { EXIT_USAGE, Exit } from "./exit.ts";

/** What a first start made. */
export interface Created {
  readonly configFile: string;
  readonly vault: string;
  /** The only time that it is seen: the config holds its digest. */
  readonly token: string;
}

/**
 * Writes a config (mode 0600, with a new token's digest) and a vault with a welcome note.
 *
 * The config appears whole or not at all: it is written beside and then linked into place, which fails if another has
 * come in between (link(2), EEXIST). Nothing that exists is changed.
 *
 * @throws {Exit} if the config exists or can't be written
 */
export function createConfig(file: string): Created {
  const configFile = resolve(file);
  const vault = join(dirname(configFile), "vault");
  const token = newToken();
  try {
    writeWelcome(vault);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Exit(
      EXIT_USAGE,
      `Cannot make the vault "${vault}" (${code}), and no config was written`,
    );
  }
  const temporary = `${configFile}.${crypto.randomUUID()}.tmp`;
  try {
    const descriptor = openSync(temporary, "wx", 0o600);
    try {
      writeSync(descriptor, configText(digestOf(token).toHex()));
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    try {
      linkSync(temporary, configFile);
    } finally {
      unlinkSync(temporary);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const reason =
      code === "EEXIST"
        ? "it exists, and nothing was changed"
        : `the folder can't be written to (${code})`;
    throw new Exit(EXIT_USAGE, `Cannot make "${file}": ${reason}`);
  }
  return { configFile, vault, token };
}

/** A note for an empty vault; one with anything in it is somebody's. */
function writeWelcome(vault: string): void {
  mkdirSync(vault, { recursive: true, mode: 0o700 });
  if (readdirSync(vault).length === 0)
    writeFileSync(join(vault, "Welcome.md"), WELCOME, { flag: "wx" });
}

function configText(digest: string): string {
  return `# Nest's configuration. config.example.yaml shows every key with its default; docs/configuration.md explains them.
# A running Nest reads it anew on SIGHUP.

server:
  # Whoever has the token runs commands on this machine. Here is only its SHA-256; the token itself was shown once.
  # A new one: \`nest token\` prints it, \`nest token --hash\` makes this line's value of it.
  token: sha256:${digest}

vault:
  path: ./vault
`;
}

const WELCOME = `# Welcome

This folder is the vault: the notes and files that you and your agent share. It is an ordinary folder of ordinary
files; edit them with whatever you like, and the agent sees the change.

Three things to try:

- Ask the agent what is in the vault.
- Tell it something worth keeping and ask it to write a note about it.
- Ask it to tidy this note away when you no longer need it.
`;
