import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The pi that ships with Nest, and how it is started. */
export interface ShippedPi {
  readonly program: readonly string[];
  /** Its folder, not for clients' eyes. */
  readonly packageDir: string;
  /** The extension that plays the scripted model. */
  readonly scriptedModel: string;
  readonly env: Readonly<Record<string, string>>;
}

/** First argument that makes the executable run pi instead of Nest. For Nest's own use. */
export const AGENT_ARGUMENT = "--nest-agent-process";

/** Set by the build: where in the executable pi's files are (`packaging/build.ts`). */
declare const NEST_PI_DIR: string | undefined;

/** @throws {Error} whose message says what to do */
export function shippedPi(): ShippedPi {
  return typeof NEST_PI_DIR === "string" ? embeddedPi(NEST_PI_DIR) : installedPi();
}

/**
 * pi inside the executable, which is started anew as pi. Its files are read where they are: nothing is unpacked, so there
 * is nothing on disk that could be changed between two starts.
 */
function embeddedPi(dir: string): ShippedPi {
  return {
    program: [process.execPath, AGENT_ARGUMENT],
    packageDir: dir,
    scriptedModel: join(dir, "scripted-model.ts"),
    env: { PI_PACKAGE_DIR: dir },
  };
}

/**
 * pi on the very Bun that runs Nest, with the start-up files of the working folder shut off: Bun would read `.env`
 * and run the preload of `bunfig.toml` there, and the agent can write both.
 */
function installedPi(): ShippedPi {
  let library: string;
  try {
    // The package exports no path but its library entry, dist/index.js.
    library = fileURLToPath(import.meta.resolve("@earendil-works/pi-coding-agent"));
  } catch {
    throw new Error(
      "pi is not installed. Run `bun install` in Nest's folder, or name a pi of your own in agent.command",
    );
  }
  const packageDir = dirname(dirname(library));
  const entry = join(packageDir, "dist", "bundle", "cli.js");
  if (!existsSync(entry))
    throw new Error(`"${entry}" is missing. Run \`bun install\` in Nest's folder`);
  return {
    program: [process.execPath, "--no-env-file", "--config=/dev/null", "--no-install", entry],
    packageDir,
    scriptedModel: fileURLToPath(import.meta.resolve("./scripted-model.ts")),
    env: {},
  };
}
