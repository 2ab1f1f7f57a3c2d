import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Fall, Naive } from "../support/naive-files.ts";
import { mkfifo } from "../support/vault.ts";
import { type Operation, OPERATIONS } from "../support/vault-operations.ts";
import { INSIDE, type World } from "../support/vault-world.ts";

/** The statuses that each operation may answer with (contract section 4, Vault paths). */
export type Answers = Readonly<Record<Operation, readonly number[]>>;

export interface Attack {
  readonly name: string;
  /** What stands behind `/api/files/`, byte for byte. */
  readonly path: string | ((world: World) => string);
  /** Where the path decoded once is not what JSON and `?dir=` get: JSON text, quotes and all. */
  readonly json?: string;
  /** Puts into the vault what the attack needs, as the agent's shell would. May return what takes it away. */
  readonly plant?: (world: World) => void | (() => void);
  readonly answers: Answers;
  /** A server that the attack brings down, and what happens to it. */
  readonly naive: readonly [Naive, Fall];
  /** Only root can plant it. */
  readonly needsRoot?: boolean;
}

const all = (...statuses: number[]): Answers =>
  Object.fromEntries(OPERATIONS.map((operation) => [operation, statuses])) as Record<
    Operation,
    number[]
  >;
const but = (answers: Answers, other: Partial<Record<Operation, number>>): Answers => ({
  ...answers,
  ...Object.fromEntries(Object.entries(other).map(([operation, status]) => [operation, [status]])),
});
const inTarget = (status: number): Partial<Record<Operation, number>> => ({
  GET: status,
  HEAD: status,
  PUT: status,
  "PUT folder": status,
  DELETE: status,
  "DELETE for good": status,
});

/** It would leave the vault, or touch what is no file. */
const FORBIDDEN = all(403);
/** No file can have such a path. */
const MALFORMED = all(400);
/** A strange name, but a name, of nothing that is there yet. */
const ORDINARY = but(all(404), {
  PUT: 201,
  "PUT folder": 201,
  "move to": 200,
  "move over": 200,
});
const FILE = but(all(200), {
  "PUT folder": 409,
  DELETE: 204,
  "DELETE for good": 204,
  "move to": 409,
  list: 409,
});
/** DELETE for good says `recursive`, DELETE does not. */
const FOLDER = but(all(409), {
  "PUT folder": 200,
  "DELETE for good": 204,
  "move from": 200,
  list: 200,
});
const BELOW_A_FILE = all(404);
/**
 * Bun takes `..` and `\` out of the target before anybody sees them (RUNTIME-FACTS): what is left is another route or
 * another path inside. In JSON and in `?dir=` they are still there.
 */
const COLLAPSED: Answers = {
  ...FORBIDDEN,
  ...Object.fromEntries(
    (["GET", "HEAD", "PUT", "PUT folder", "DELETE", "DELETE for good"] as const).map((name) => [
      name,
      [400, 404, 405],
    ]),
  ),
};

const link = (target: string | ((world: World) => string), at: string) => (world: World) =>
  symlinkSync(typeof target === "string" ? target : target(world), join(world.vault, at));
const both =
  (...plants: ((world: World) => unknown)[]) =>
  (world: World) => {
    for (const plant of plants) plant(world);
  };
const file =
  (name: string, content = INSIDE) =>
  (world: World) =>
    writeFileSync(join(world.vault, name), content);
const folder = (name: string) => (world: World) =>
  mkdirSync(join(world.vault, name), { recursive: true });
const chain = (length: number) => (world: World) => {
  for (let n = 0; n < length; n++) link(n === 0 ? "note.md" : `hop-${n - 1}`, `hop-${n}`)(world);
};
const mknod = (name: string, minor: number) => (world: World) => {
  Bun.spawnSync(["mknod", join(world.vault, name), "c", "1", String(minor)]);
};
const fifo = (name: string) => (world: World) => mkfifo(join(world.vault, name));
const socket = (name: string) => (world: World) => {
  const server = createServer().listen(join(world.vault, name));
  return () => void server.close();
};
const encoded = (path: (world: World) => string) => (world: World) =>
  encodeURIComponent(path(world));

const unfinished = both(folder(".nest-tmp"), file(".nest-tmp/random"));
const escaped = (path: string) => path.split("/").map(encodeURIComponent).join("/");

/** Attacks that differ in little. */
function each<Common extends Partial<Attack>>(
  common: Common,
  rows: readonly Omit<Attack, keyof Common>[],
): Attack[] {
  const attacks: Attack[] = [];
  for (const row of rows) attacks.push({ ...row, ...common } as unknown as Attack);
  return attacks;
}

const TRAVERSAL: readonly Attack[] = [
  ...each({ answers: FORBIDDEN, naive: ["join", "reads outside"] }, [
    { name: "..%2f", path: "..%2foutside%2fsecret.txt" },
    { name: "..%2F, one slash plain", path: "..%2Foutside/secret.txt" },
    { name: "%2e%2e%2f", path: "%2e%2e%2foutside%2fsecret.txt" },
    { name: "%2E%2E%2F", path: "%2E%2E%2Foutside%2Fsecret.txt" },
    { name: ".%2e%2f", path: ".%2e%2foutside%2fsecret.txt" },
    { name: "%2e.%2f", path: "%2e.%2foutside%2fsecret.txt" },
    { name: ".. behind a folder", path: "sub%2f..%2f..%2foutside%2fsecret.txt" },
    { name: ".. behind a name that is not there", path: "no%2f..%2f..%2foutside%2fsecret.txt" },
    { name: ".. behind a file", path: "note.md%2f..%2f..%2foutside%2fsecret.txt" },
    { name: ".. that comes back", path: "..%2fvault%2f..%2foutside%2fsecret.txt" },
    { name: "forty times ..", path: `${"..%2f".repeat(40)}proc%2fself%2fstatus` },
    { name: ".. from the trash", path: ".trash%2f..%2f..%2foutside%2fsecret.txt" },
  ]),
  {
    name: ".. to a sibling whose name begins alike",
    path: "..%2fvault-secret%2fsecret.txt",
    answers: FORBIDDEN,
    naive: ["compare the beginning", "reads outside"],
  },
  {
    name: ".. alone",
    path: "sub%2f..%2f..",
    answers: FORBIDDEN,
    naive: ["join", "lists outside"],
  },
  {
    name: ".. to a file that is not there",
    path: "..%2foutside%2fnew.txt",
    answers: FORBIDDEN,
    naive: ["join", "writes outside"],
  },
  {
    name: ".. to a folder",
    path: "..%2foutside%2ffolder",
    answers: FORBIDDEN,
    naive: ["join", "deletes outside"],
  },
  ...each({ answers: COLLAPSED, naive: ["join", "reads outside"] }, [
    { name: "../ as it is", path: "../outside/secret.txt" },
    { name: "%2e%2e/", path: "%2e%2e/outside/secret.txt" },
    { name: ".%2e/ behind a folder", path: "sub/.%2e/%2e./outside/secret.txt" },
  ]),
  {
    name: "..\\ as it is",
    path: "..\\outside\\secret.txt",
    answers: COLLAPSED,
    naive: ["take backslashes for slashes", "reads outside"],
  },
  ...each({ answers: FORBIDDEN, naive: ["take backslashes for slashes", "reads outside"] }, [
    { name: "..%5c", path: "..%5coutside%5csecret.txt" },
    { name: "..%5C behind a folder", path: "sub%5C..%5C..%5Coutside%5Csecret.txt" },
    { name: "both kinds of slashes", path: "sub%2f..%5c..%5coutside%2fsecret.txt" },
    { name: "an absolute path with backslashes", path: "%5cproc%5cself%5cstatus" },
  ]),
  ...each({ answers: ORDINARY, naive: ["decode twice", "reads outside"] }, [
    { name: "encoded twice", path: "%252e%252e%252foutside%252fsecret.txt" },
    { name: "the slashes encoded twice", path: "..%252foutside%252fsecret.txt" },
  ]),
  {
    name: "encoded three times",
    path: "%25252e%25252e%25252foutside%25252fsecret.txt",
    answers: ORDINARY,
    naive: ["decode until nothing changes", "reads outside"],
  },
  ...each({ answers: FORBIDDEN, naive: ["resolve", "reads outside"] }, [
    { name: "an absolute path", path: "%2fproc%2fself%2fstatus" },
    { name: "an absolute path behind two slashes", path: "/proc/self/status" },
    { name: "an absolute path behind three", path: "%2f%2fproc%2fself%2fstatus" },
    {
      name: "an absolute path of the host",
      path: encoded(({ outside }) => `${outside}/secret.txt`),
    },
  ]),
  {
    name: "an absolute path to a file inside",
    path: encoded(({ vault }) => `${vault}/note.md`),
    answers: FORBIDDEN,
    naive: ["resolve", "reads what has another name"],
  },
  {
    name: "a file URL",
    path: "file:%2f%2f%2fproc%2fself%2fstatus",
    answers: MALFORMED,
    naive: ["take URLs", "reads outside"],
  },
  ...each({ answers: MALFORMED, naive: ["take overlong UTF-8", "reads outside"] }, [
    { name: "overlong UTF-8 of two bytes", path: "%c0%ae%c0%ae%c0%afoutside%c0%afsecret.txt" },
    { name: "overlong UTF-8 of three bytes", path: "%e0%80%ae%e0%80%ae/outside/secret.txt" },
    { name: "overlong UTF-8 of four bytes", path: "%f0%80%80%ae%f0%80%80%ae/outside/secret.txt" },
  ]),
  ...each({ answers: ORDINARY, naive: ["normalise by NFKC", "reads outside"] }, [
    { name: "fullwidth dots and slashes", path: escaped("．．／outside／secret.txt") },
    { name: "a two dot leader", path: escaped("‥/outside/secret.txt") },
    { name: "one dot leaders", path: escaped("․․/outside/secret.txt") },
  ]),
  {
    name: "U+2215 for a slash",
    path: "..%e2%88%95outside%e2%88%95secret.txt",
    answers: ORDINARY,
    naive: ["map to the most similar ASCII", "reads outside"],
  },
  ...each({ answers: MALFORMED, naive: ["remove ../", "reads outside"] }, [
    { name: "../ inside of ../", path: "....%2f%2foutside%2fsecret.txt" },
    { name: "../ inside of .../", path: "...%2f.%2foutside%2fsecret.txt" },
  ]),
  {
    name: "a NUL in ..",
    path: ".%00.%2foutside%2fsecret.txt",
    answers: MALFORMED,
    naive: ["remove NUL", "reads outside"],
  },
  {
    name: "path parameters behind ..",
    path: "..;/outside/secret.txt",
    answers: ORDINARY,
    naive: ["drop path parameters", "reads outside"],
  },
  ...each({ answers: ORDINARY, naive: ["trim names", "reads outside"] }, [
    { name: "a space behind ..", path: "..%20/outside/secret.txt" },
    { name: "CR LF behind ..", path: "..%0d%0a/outside/secret.txt" },
    { name: "a no-break space before ..", path: "%c2%a0../outside/secret.txt" },
  ]),
];

const SPELLINGS: readonly Attack[] = [
  ...each({ answers: MALFORMED, naive: ["join", "reads what has another name"] }, [
    { name: "./", path: ".%2fnote.md" },
    { name: "a single dot inside", path: "sub%2f.%2finner.md" },
    { name: "an empty name", path: "sub//inner.md" },
    { name: "an empty name, encoded", path: "sub%2f%2finner.md" },
  ]),
  {
    name: "a NUL before an ending",
    path: "note.md%00.png",
    answers: MALFORMED,
    naive: ["end at NUL", "reads what has another name"],
  },
  { name: "a NUL", path: "a%00b", answers: MALFORMED, naive: ["join", "breaks"] },
  {
    name: "invalid UTF-8",
    path: "a%ffb",
    plant: file("a\ufffdb"),
    answers: MALFORMED,
    naive: ["decode leniently", "reads what has another name"],
  },
  {
    name: "a lone surrogate",
    path: "%ed%a0%80",
    json: '"\\ud800"',
    plant: file("\ufffd\ufffd\ufffd"),
    answers: MALFORMED,
    naive: ["decode leniently", "reads what has another name"],
  },
  {
    name: "a pair of surrogates, three bytes each",
    path: "%ed%a0%bd%ed%b8%80",
    json: '"\\ude00\\ud83d"',
    plant: file("\ufffd".repeat(6)),
    answers: MALFORMED,
    naive: ["decode leniently", "reads what has another name"],
  },
  {
    name: "UTF-8 that ends too early",
    path: "a%e2%82",
    plant: file("a\ufffd"),
    answers: MALFORMED,
    naive: ["decode leniently", "reads what has another name"],
  },
  ...["a%zz", "a%", "a%2", "%u002e%u002e"].map((path) => ({
    name: `a broken escape: ${path}`,
    path,
    json: JSON.stringify(path),
    answers: but(ORDINARY, inTarget(400)),
    naive: ["join", "breaks"] as const,
  })),
  {
    name: "a byte order mark",
    path: "%ef%bb%bfnote.md",
    answers: ORDINARY,
    naive: ["decode leniently", "reads what has another name"],
  },
  {
    name: "capitals",
    path: "NOTE.MD",
    answers: ORDINARY,
    naive: ["ignore case", "reads what has another name"],
  },
  {
    name: "NFD where NFC is",
    path: encodeURIComponent("\u00e4.md".normalize("NFD")),
    plant: file("\u00e4.md"),
    answers: ORDINARY,
    naive: ["normalise by NFC", "reads what has another name"],
  },
  ...["note.md.", "note.md%20", "note.md..."].map((path) => ({
    name: `what Windows drops at the end: ${path}`,
    path,
    answers: ORDINARY,
    naive: ["drop dots at the end", "reads what has another name"] as const,
  })),
  {
    name: "a stream of NTFS",
    path: "note.md::$DATA",
    answers: ORDINARY,
    naive: ["drop streams", "reads what has another name"],
  },
  ...["note.md%3fraw%3f%3f", "note.md%23x"].map((path) => ({
    name: `an encoded query: ${path}`,
    path,
    answers: ORDINARY,
    naive: ["cut off the query after the check", "reads what has another name"] as const,
  })),
  {
    // CVE-2025-30208: the check saw one path, the reader another.
    name: "?raw??",
    path: "note.md?raw??",
    json: '"note.md?raw??"',
    // "PUT folder" puts its slash into the query, and the permission is asked of the file.
    answers: but(ORDINARY, {
      ...inTarget(200),
      DELETE: 204,
      "DELETE for good": 204,
    }),
    naive: ["cut off the query after the check", "reads what has another name"],
  },
  {
    name: "CR LF and a header",
    path: "x%0d%0aX-Injected:%201.md",
    answers: ORDINARY,
    naive: ["join", "breaks when it names it in a header"],
  },
  {
    name: "a newline",
    path: "a%0ab.md",
    answers: ORDINARY,
    naive: ["join", "breaks when it names it in a header"],
  },
  {
    name: "an emoji",
    path: encodeURIComponent("👩‍🚀.md"),
    answers: ORDINARY,
    naive: ["join", "breaks when it names it in a header"],
  },
  {
    name: "a percent sign",
    path: "100%25.md",
    answers: ORDINARY,
    naive: ["decode twice", "breaks"],
  },
  {
    name: "a name of 255 bytes",
    path: "n".repeat(255),
    answers: ORDINARY,
    naive: ["join", "breaks when it writes beside it"],
  },
  {
    name: "a name of 255 bytes, most of them emoji",
    path: encodeURIComponent(`${"😀".repeat(63)}abc`),
    answers: ORDINARY,
    naive: ["join", "breaks when it writes beside it"],
  },
  {
    name: "a name of 256 bytes",
    path: "n".repeat(256),
    answers: MALFORMED,
    naive: ["join", "breaks"],
  },
  {
    name: "a name of 128 characters and 256 bytes",
    path: encodeURIComponent("\u00e9".repeat(128)),
    answers: MALFORMED,
    naive: ["join", "breaks"],
  },
  {
    name: "a path of 4,000 bytes",
    path: `${`${"n".repeat(250)}/`.repeat(15)}${"n".repeat(235)}`,
    // With the slash it has 4,001.
    answers: but(ORDINARY, { "PUT folder": 400 }),
    naive: ["join", "breaks when it writes"],
  },
  {
    name: "a path of 4,001 bytes",
    path: `${`${"n".repeat(250)}/`.repeat(15)}${"n".repeat(236)}`,
    answers: MALFORMED,
    naive: ["join", "breaks when it writes"],
  },
  {
    name: "a path of 5,000 bytes",
    path: `${"d/".repeat(2499)}no`,
    answers: MALFORMED,
    naive: ["join", "breaks"],
  },
  {
    name: "nothing",
    path: "",
    // The root itself. "PUT folder" asks for "/": absolute.
    answers: but(all(409), { "PUT folder": 403, list: 200 }),
    naive: ["join", "deletes the vault"],
  },
  {
    name: "a slash behind a file",
    path: "note.md/",
    // "PUT folder" has an empty name at the end.
    // In the other direction a folder is asked for, and there is a file.
    answers: but(BELOW_A_FILE, {
      PUT: 409,
      "PUT folder": 400,
      "move to": 409,
      "move over": 409,
      list: 409,
    }),
    naive: ["trim names", "breaks"],
  },
  {
    name: "a name behind a file",
    path: "note.md/x",
    answers: BELOW_A_FILE,
    naive: ["join", "breaks"],
  },
];

const LINKS: readonly Attack[] = [
  ...each({ answers: FORBIDDEN, naive: ["check the text", "reads through a link"] }, [
    { name: "a link to a file outside", plant: link("../outside/secret.txt", "out"), path: "out" },
    {
      name: "a link to a file outside, absolute",
      plant: link(({ outside }) => `${outside}/secret.txt`, "out"),
      path: "out",
    },
    { name: "a link on the way", plant: link("../outside", "way"), path: "way/secret.txt" },
    {
      name: "a link on the way, deeper",
      plant: link("../outside", "way"),
      path: "way/folder/deep.txt",
    },
    {
      name: "a link to a link that leads outside",
      plant: both(link("../outside/secret.txt", "out"), link("out", "first")),
      path: "first",
    },
    {
      name: "a link from a folder up and out",
      plant: link("../../outside", "sub/up"),
      path: "sub/up/secret.txt",
    },
    { name: "a link to the folder above", plant: link("..", "up"), path: "up/outside/secret.txt" },
    {
      name: "a link through a folder and back out",
      plant: link("sub/../../outside", "way"),
      path: "way/secret.txt",
    },
    {
      name: "a link through another link",
      plant: both(link("../outside/folder", "far"), link("far/../secret.txt", "out")),
      path: "out",
    },
    {
      name: "a link to a sibling whose name begins alike",
      plant: link("../vault-secret", "way"),
      path: "way/secret.txt",
    },
    {
      name: "a link to the root of the host",
      plant: link("/", "top"),
      path: "top/proc/self/status",
    },
    {
      name: "a link to /proc/self/root",
      plant: link("/proc/self/root", "top"),
      path: "top/proc/self/status",
    },
    { name: "a link to /proc/self/status", plant: link("/proc/self/status", "out"), path: "out" },
    { name: "a link to /proc/self/cmdline", plant: link("/proc/self/cmdline", "out"), path: "out" },
    {
      name: "a link to /proc/self/cwd",
      plant: link("/proc/self/cwd", "way"),
      path: "way/package.json",
    },
    {
      name: "a link to /proc/thread-self",
      plant: link("/proc/thread-self", "way"),
      path: "way/comm",
    },
  ]),
  {
    name: "a link to a folder outside, as it is",
    plant: link("../outside/folder", "way"),
    path: "way",
    answers: FORBIDDEN,
    naive: ["check the text", "lists outside"],
  },
  {
    name: "a link to the descriptors of the server",
    plant: link("/proc/self/fd", "fds"),
    path: "fds",
    answers: FORBIDDEN,
    naive: ["check the text", "lists outside"],
  },
  {
    name: "a link to a sibling, for who compares beginnings",
    plant: link("../vault-secret/secret.txt", "out"),
    path: "out",
    answers: FORBIDDEN,
    naive: ["compare the beginning", "reads through a link"],
  },
  {
    name: "a link on the way to a file that is not there",
    plant: link("../outside", "way"),
    path: "way/new.txt",
    answers: FORBIDDEN,
    naive: ["realpath, then use", "writes outside"],
  },
  {
    name: "a link to a file outside that is not there",
    plant: link("../outside/new.txt", "dangling"),
    path: "dangling",
    answers: FORBIDDEN,
    naive: ["realpath, then use", "writes outside"],
  },
  {
    name: "a link to an absolute path that is not there",
    plant: link(({ outside }) => `${outside}/new.txt`, "dangling"),
    path: "dangling",
    answers: FORBIDDEN,
    naive: ["realpath, then use", "writes outside"],
  },
  {
    name: "a link on the way to a folder outside, to be deleted",
    plant: link("../outside", "way"),
    path: "way/folder",
    answers: FORBIDDEN,
    naive: ["check the text", "deletes outside"],
  },
  {
    name: "a link to /dev/zero",
    plant: link("/dev/zero", "zero"),
    path: "zero",
    answers: FORBIDDEN,
    naive: ["check the text", "reads without end"],
  },
  {
    name: "a link to itself",
    plant: link("loop", "loop"),
    path: "loop",
    answers: FORBIDDEN,
    naive: ["join", "breaks"],
  },
  {
    name: "a link to itself on the way",
    plant: link("loop", "loop"),
    path: "loop/x",
    answers: FORBIDDEN,
    naive: ["join", "breaks"],
  },
  {
    name: "two links to each other",
    plant: both(link("b", "a"), link("a", "b")),
    path: "a",
    answers: FORBIDDEN,
    naive: ["join", "breaks"],
  },
  {
    name: "a link that grows each time it is followed",
    plant: link("grow/grow/x", "grow"),
    path: "grow/x",
    answers: FORBIDDEN,
    naive: ["join", "breaks"],
  },
  {
    name: "a chain of 45 links",
    plant: chain(45),
    path: "hop-44",
    answers: FORBIDDEN,
    naive: ["join", "breaks"],
  },
  {
    name: "a link through a file",
    plant: link("note.md/../../outside/secret.txt", "out"),
    path: "out",
    answers: FORBIDDEN,
    naive: ["join", "breaks"],
  },
  // Those that stay inside work.
  ...each({ answers: FILE, naive: ["join", "reads what has another name"] }, [
    { name: "a link inside", plant: link("note.md", "in"), path: "in" },
    {
      name: "an absolute link inside",
      plant: link(({ vault }) => `${vault}/note.md`, "in"),
      path: "in",
    },
    { name: "a link out and in again", plant: link("../vault/note.md", "in"), path: "in" },
    { name: "a link to the vault itself", plant: link(".", "self"), path: "self/self/note.md" },
    { name: "ten links", plant: chain(10), path: "hop-9" },
    { name: "a link on the way inside", plant: link("sub", "way"), path: "way/inner.md" },
  ]),
  {
    name: "a link to a place inside where nothing is",
    plant: link("sub/new.md", "dangling"),
    path: "dangling",
    answers: but(ORDINARY, {
      // The link itself is there.
      DELETE: 204,
      "DELETE for good": 204,
      "move from": 200,
      "move to": 409,
    }),
    naive: ["join", "writes to another place"],
  },
];

const SPECIAL: readonly Attack[] = [
  {
    name: "a FIFO",
    plant: fifo("fifo"),
    path: "fifo",
    answers: FORBIDDEN,
    naive: ["realpath, then use", "hangs"],
  },
  {
    name: "a link to a FIFO",
    plant: both(fifo("fifo"), link("fifo", "in")),
    path: "in",
    // What may be deleted and moved is the link.
    answers: but(FORBIDDEN, {
      DELETE: 204,
      "DELETE for good": 204,
      "move from": 200,
      "move to": 409,
      "move over": 200,
    }),
    naive: ["realpath, then use", "hangs"],
  },
  {
    name: "a socket",
    plant: socket("socket"),
    path: "socket",
    answers: FORBIDDEN,
    naive: ["realpath, then use", "breaks"],
  },
  {
    name: "a device",
    plant: mknod("zero", 5),
    needsRoot: true,
    path: "zero",
    answers: FORBIDDEN,
    naive: ["realpath, then use", "reads without end"],
  },
  {
    name: "a name behind a FIFO",
    plant: fifo("fifo"),
    path: "fifo/x",
    answers: all(403, 404),
    naive: ["join", "breaks"],
  },
];

const OWN: readonly Attack[] = [
  ...each({ naive: ["check the text", "reads what has another name"] }, [
    {
      name: "the folder for what is not finished",
      path: ".nest-tmp/random",
      plant: unfinished,
      answers: FORBIDDEN,
    },
    {
      name: "a link to it",
      path: "in/random",
      plant: both(unfinished, link(".nest-tmp", "in")),
      answers: but(FORBIDDEN, { list: 409 }),
    },
    {
      name: "a link into it",
      path: "in",
      plant: both(unfinished, link(".nest-tmp/random", "in")),
      // What may be deleted and moved is the link.
      answers: but(FORBIDDEN, {
        DELETE: 204,
        "DELETE for good": 204,
        "move from": 200,
        "move to": 409,
        "move over": 200,
        list: 409,
      }),
    },
  ]),
  {
    name: "that folder itself",
    path: ".nest-tmp",
    plant: unfinished,
    answers: FORBIDDEN,
    naive: ["check the text", "breaks"],
  },
  {
    name: "that folder, swapped for a link",
    path: "note.md",
    plant: link("../outside", ".nest-tmp"),
    // Nothing that needs it is done.
    answers: but(FILE, { PUT: 403, "move from": 403 }),
    naive: ["check the text", "writes its temporary file outside"],
  },
  {
    name: "that folder, swapped for a file",
    path: "note.md",
    plant: file(".nest-tmp"),
    answers: but(FILE, { PUT: 403, "move from": 403 }),
    naive: ["check the text", "can't make its temporary file"],
  },
  {
    name: "the trash, swapped for a link",
    path: "note.md",
    plant: link("../outside", ".trash"),
    answers: but(FILE, { DELETE: 403 }),
    naive: ["check the text", "moves to the outside"],
  },
  {
    name: "the trash, swapped for a link in a folder inside",
    path: "note.md",
    plant: link("sub", ".trash"),
    answers: but(FILE, { DELETE: 403 }),
    naive: ["check the text", "reads what has another name"],
  },
  {
    name: "what is in the trash",
    path: ".trash/old/note.md",
    plant: both(folder(".trash/old"), file(".trash/old/note.md")),
    answers: but(FILE, { DELETE: 409 }),
    naive: ["check the text", "reads what has another name"],
  },
  {
    name: "the trash",
    path: ".trash",
    plant: both(folder(".trash/old"), file(".trash/old/note.md")),
    answers: FOLDER,
    naive: ["check the text", "breaks"],
  },
  {
    name: "a folder",
    path: "sub",
    answers: FOLDER,
    naive: ["check the text", "breaks"],
  },
];

export const ATTACKS: readonly Attack[] = [
  ...TRAVERSAL,
  ...SPELLINGS,
  ...LINKS,
  ...SPECIAL,
  ...OWN,
];
