import type { NestContext, RequestScope } from "../env.ts";
import { headersFor } from "../headers.ts";
import { problem } from "../problem.ts";
import { BASE_MARK, type WorkspaceFile, type WorkspaceSource } from "../workspace.ts";

/**
 * The page may run its own scripts and talk to its own server, and nothing else: no inline script, no `eval`, no other
 * origin, no frame around it, no form to elsewhere. Pictures and media may be `blob:`, since they are fetched with the
 * token, which no `<img>` can send. Strings become code nowhere: Trusted Types let one policy make script addresses,
 * that of the service worker (`src/web/app/offline.ts`), and none make markup.
 */
const SHELL_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' blob:",
  "media-src 'self' blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "worker-src 'self'",
  "frame-src 'self' blob:",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types nest-worker",
].join("; ");

const SHELL_HEADERS = {
  "Content-Security-Policy": SHELL_POLICY,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Permissions-Policy":
    "camera=(), geolocation=(), microphone=(), payment=(), usb=(), serial=(), hid=()",
};

/** A file opened by itself, a worker among them, gets less than the page. */
const FILE_POLICY = "default-src 'none'; connect-src 'self'; frame-ancestors 'none'";

/** Shells kept, one for each depth of path; deeper ones are made anew. */
const MAX_SHELLS = 64;

/**
 * The workspace's page, for its own address and every deep link: which view it shows is the browser's business.
 *
 * Its addresses are relative to the request's own path, so that they hold behind a proxy that serves Nest below a base
 * path, which nobody has to name: the base is however far up the workspace lies from here.
 */
export function workspaceShell(source: WorkspaceSource) {
  const shells = new Map<number, { text: string; headers: Record<string, string> }>();
  return async function shell(c: NestContext): Promise<Response> {
    const scope = c.env;
    const { shell: template } = await source();
    const depth = new URL(scope.request.url).pathname.split("/").length - 2;
    let made = shells.get(depth);
    if (made === undefined) {
      const text = template.replaceAll(BASE_MARK, depth === 0 ? "./" : "../".repeat(depth));
      const hash = new Bun.CryptoHasher("sha256").update(text).digest("hex").slice(0, 32);
      made = { text, headers: { ...SHELL_HEADERS, ETag: `"${hash}"` } };
      if (shells.size < MAX_SHELLS) shells.set(depth, made);
    }
    if (isKnown(scope, made.headers["ETag"] as string)) return notModified(scope, made.headers);
    return new Response(made.text, {
      headers: headersFor(scope, "text/html; charset=utf-8", made.headers),
    });
  };
}

/** The workspace's own files. What carries its hash in its name may be kept for ever. */
export function workspaceFile(source: WorkspaceSource) {
  const answers = new WeakMap<WorkspaceFile, Answers>();
  return async function file(c: NestContext): Promise<Response> {
    const scope = c.env;
    const found = (await source()).files.get(scope.path.slice(1));
    if (found === undefined) return problem(scope, "not_found");
    let made = answers.get(found);
    if (made === undefined) {
      made = answersOf(found);
      answers.set(found, made);
    }
    const accepted = scope.header("accept-encoding");
    const { bytes, headers } =
      (accepts(accepted, "br") && made.brotli) ||
      (accepts(accepted, "gzip") && made.gzip) ||
      made.plain;
    if (isKnown(scope, headers["ETag"] as string)) return notModified(scope, headers);
    return new Response(bytes, { headers: headersFor(scope, found.type, headers) });
  };
}

interface Answer {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly headers: Readonly<Record<string, string>>;
}

interface Answers {
  readonly plain: Answer;
  readonly brotli?: Answer;
  readonly gzip?: Answer;
}

function answersOf({ path, bytes, brotli, gzip, hash }: WorkspaceFile): Answers {
  const base = {
    "Cache-Control": path.startsWith("assets/")
      ? "public, max-age=31536000, immutable"
      : "no-cache",
    "Content-Security-Policy": FILE_POLICY,
    Vary: "Accept-Encoding",
  };
  // Each representation has a tag of its own (RFC 9110 section 8.8.3.3).
  const encoded = (content: Uint8Array<ArrayBuffer>, encoding: string): Answer => ({
    bytes: content,
    headers: { ...base, ETag: `"${hash}-${encoding}"`, "Content-Encoding": encoding },
  });
  return {
    plain: { bytes, headers: { ...base, ETag: `"${hash}"` } },
    ...(brotli && { brotli: encoded(brotli, "br") }),
    ...(gzip && { gzip: encoded(gzip, "gzip") }),
  };
}

/** RFC 9110 section 12.5.3, without preferences: a coding that is named and not refused is taken. */
function accepts(header: string | null, coding: string): boolean {
  if (header === null) return false;
  return header
    .toLowerCase()
    .split(",")
    .some((item) => {
      const [name, ...parameters] = item.split(";").map((part) => part.trim());
      return name === coding && !parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    });
}

/** RFC 9110 section 13.1.2, weak comparison. */
function isKnown(scope: RequestScope, etag: string): boolean {
  const header = scope.header("if-none-match");
  if (header === null) return false;
  return header.split(",").some((item) => item.trim().replace(/^W\//, "") === etag);
}

function notModified(scope: RequestScope, headers: Readonly<Record<string, string>>): Response {
  const answer = headersFor(scope, "text/plain", headers);
  const own = new Headers(answer);
  own.delete("Content-Type");
  own.delete("Content-Encoding");
  return new Response(null, { status: 304, headers: own });
}
