import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { hasSecretInside, INSIDE, outsideState, SECRET, type World } from "./vault-world.ts";

/**
 * How file servers come from the path in a request to a path of the host, each a way that some program went. What is in
 * the comments is what they let through.
 */
export const NAIVE = {
  /** `..` */
  join: (root, path) => join(root, decodeURIComponent(path)),
  /** Absolute paths. */
  resolve: (root, path) => resolve(root, decodeURIComponent(path)),
  /** Links: looks at the text alone. */
  "check the text": (root, path) => {
    const text = decodeURIComponent(path);
    if (text.startsWith("/") || text.split("/").includes("..")) throw refused();
    return join(root, text);
  },
  /** What is not there yet has no real path: dangling links. And FIFOs. */
  "realpath, then use": (root, path) => {
    const text = decodeURIComponent(path);
    if (text.startsWith("/") || text.split("/").includes("..")) throw refused();
    const joined = join(root, text);
    let real: string;
    try {
      real = realpathSync(joined);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
      return joined;
    }
    if (!real.startsWith(`${realpathSync(root)}/`)) throw refused();
    return joined;
  },
  /** Siblings whose name begins alike. */
  "compare the beginning": (root, path) => {
    const text = resolve(root, decodeURIComponent(path));
    let real = text;
    try {
      real = realpathSync(text);
    } catch {
      // Not there.
    }
    if (!real.startsWith(realpathSync(root))) throw refused();
    return text;
  },
  "decode twice": (root, path) => join(root, decodeURIComponent(checked(decodeURIComponent(path)))),
  "decode until nothing changes": (root, path) => {
    let text = checked(decodeURIComponent(path));
    for (let last = ""; last !== text;) [last, text] = [text, decodeURIComponent(text)];
    return join(root, text);
  },
  /** As on Windows. */
  "take backslashes for slashes": (root, path) =>
    resolve(root, checked(decodeURIComponent(path)).replaceAll("\\", "/")),
  "remove ../": (root, path) => join(root, decodeURIComponent(path).replaceAll("../", "")),
  "remove NUL": (root, path) => join(root, checked(decodeURIComponent(path)).replaceAll("\0", "")),
  /** As C's strings. */
  "end at NUL": (root, path) => join(root, decodeURIComponent(path).split("\0")[0] as string),
  "normalise by NFKC": (root, path) =>
    join(root, checked(decodeURIComponent(path)).normalize("NFKC")),
  "normalise by NFC": (root, path) =>
    join(root, checked(decodeURIComponent(path)).normalize("NFC")),
  /** As Windows code pages do. */
  "map to the most similar ASCII": (root, path) =>
    join(root, checked(decodeURIComponent(path)).replaceAll("\u2215", "/")),
  "drop path parameters": (root, path) =>
    join(root, checked(decodeURIComponent(path)).replaceAll(/;[^/]*/g, "")),
  "trim names": (root, path) =>
    join(
      root,
      checked(decodeURIComponent(path))
        .split("/")
        .map((name) => name.trim())
        .join("/"),
    ),
  /** As Windows does. */
  "drop dots at the end": (root, path) =>
    join(root, checked(decodeURIComponent(path)).replace(/[. ]+$/, "")),
  "drop streams": (root, path) =>
    join(root, checked(decodeURIComponent(path)).replace(/::\$DATA$/, "")),
  "ignore case": (root, path) => join(root, checked(decodeURIComponent(path)).toLowerCase()),
  "cut off the query after the check": (root, path) =>
    join(root, checked(decodeURIComponent(path)).replace(/[?#].*$/s, "")),
  "decode leniently": (root, path) => join(root, new TextDecoder().decode(bytesOf(path))),
  "take overlong UTF-8": (root, path) => join(root, overlong(bytesOf(path))),
  "take URLs": (_, path) => Bun.fileURLToPath(checked(decodeURIComponent(path))),
} satisfies Record<string, (root: string, path: string) => string>;

export type Naive = keyof typeof NAIVE;

/** What then goes wrong. */
export const FALLS = {
  "reads outside": async (path, world) => {
    const text = await readFile(path(), "utf8");
    return text.includes(SECRET) || (!path().startsWith(`${world.vault}/`) && text !== "");
  },
  "reads through a link": async (path, world) => {
    const real = realpathSync(path());
    return !real.startsWith(`${world.vault}/`) && readFileSync(path()).length > 0;
  },
  "lists outside": (path, world) =>
    !`${realpathSync(path())}/`.startsWith(`${world.vault}/`) && readdirSync(path()).length > 0,
  /** One file under two names: whoever compares names is passed by. */
  "reads what has another name": (path) => readFileSync(path(), "utf8") === INSIDE,
  "writes outside": (path, world) =>
    changes(world, () => {
      writeFileSync(path(), "written");
    }),
  "deletes outside": (path, world) =>
    changes(world, () => rmSync(path(), { recursive: true, force: true })),
  "deletes the vault": (path, world) => {
    rmSync(path(), { recursive: true });
    return readdirSync(world.dir).every((name) => name !== "vault");
  },
  /** Something other than "there is no such file": a 500. */
  breaks: (path) => {
    try {
      readFileSync(path());
      return false;
    } catch (error) {
      return (error as NodeJS.ErrnoException).code !== "ENOENT";
    }
  },
  "breaks when it writes": (path) => {
    try {
      writeFileSync(path(), "");
      return false;
    } catch {
      return true;
    }
  },
  /** The temporary file takes the name, and more. */
  "breaks when it writes beside it": (path) => {
    writeFileSync(path(), "");
    try {
      writeFileSync(`${path()}.tmp`, "");
      return false;
    } catch {
      return true;
    }
  },
  "breaks when it names it in a header": (path) => {
    try {
      void new Headers({ "X-Trash-Path": basename(path()) });
      return false;
    } catch {
      return true;
    }
  },
  hangs: async (path) => {
    const reading = readFile(path()).then(
      () => false,
      () => false,
    );
    const hangs = await Promise.race([reading, Bun.sleep(300).then(() => true)]);
    // Lets the thread go that waits for a writer.
    closeSync(openSync(path(), constants.O_RDWR | constants.O_NONBLOCK));
    await reading;
    return hangs;
  },
  /** Memory without end; a look at the kind would have told. */
  "reads without end": (path) => {
    const descriptor = openSync(path(), "r");
    closeSync(descriptor);
    return true;
  },
  "moves to the outside": (path, world) =>
    changes(world, () => {
      mkdirSync(join(world.vault, ".trash"), { recursive: true });
      renameSync(path(), join(world.vault, ".trash", basename(path())));
    }),
  "writes to another place": (path) => {
    writeFileSync(path(), "written");
    return readlinkSync(path()) !== "";
  },
  "can't make its temporary file": (path) => {
    try {
      writeFileSync(join(dirname(path()), ".nest-tmp", "random"), "");
      return false;
    } catch {
      return true;
    }
  },
  "writes its temporary file outside": (path, world) =>
    changes(world, () => {
      writeFileSync(join(dirname(path()), ".nest-tmp", "random"), "");
    }),
} satisfies Record<string, (path: () => string, world: World) => boolean | Promise<boolean>>;

export type Fall = keyof typeof FALLS;

function changes(world: World, act: () => void): boolean {
  const before = outsideState(world);
  act();
  return outsideState(world) !== before || hasSecretInside(world);
}

function refused(): Error {
  return Object.assign(new Error("refused"), { code: "ENOENT" });
}

/** The check that the attacker's spelling passes. */
function checked(text: string): string {
  if (text.startsWith("/") || text.split("/").includes("..")) throw refused();
  return text;
}

/** Percent-decoded, once. */
export function bytesOf(path: string): Buffer {
  return Buffer.from(
    path
      .replaceAll(/[^ -~]/gu, encodeURIComponent)
      .replaceAll(/%([0-9a-f]{2})/gi, (_, hex: string) =>
        String.fromCharCode(Number.parseInt(hex, 16)),
      ),
    "latin1",
  );
}

/** As decoders did before RFC 3629 forbade it. */
function overlong(bytes: Buffer): string {
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    const lead = bytes[at] as number;
    const more = lead < 0xc0 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    let code = more === 0 ? lead : lead & (0x3f >> more);
    for (let n = 0; n < more; n++) code = (code << 6) | ((bytes[++at] ?? 0) & 0x3f);
    text += String.fromCodePoint(code);
  }
  return text;
}
