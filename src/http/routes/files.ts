import type { Clock } from "../../clock.ts";
import type { Caller } from "../../vault/access.ts";
import type { OpenFile } from "../../vault/open-file.ts";
import type { Vault } from "../../vault/vault.ts";
import { bodyStream } from "../body.ts";
import type { Auditor } from "../caller.ts";
import { rangeOf, readCondition, strongTags } from "../conditional.ts";
import { contentTypeOf } from "../content-type.ts";
import type { NestContext, RequestScope } from "../env.ts";
import { headersFor, json } from "../headers.ts";
import { problem, Refusal } from "../problem.ts";
import { flag, wholeNumber } from "../query.ts";
import { vaultPathInQuery, vaultPathOf } from "../vault-path.ts";

export interface FileRoutesOptions {
  readonly vault: Vault;
  /** Largest file that may be stored, bytes. */
  readonly maxFileBytes: number;
  readonly clock: Clock;
  /** On whose behalf the vault acts. */
  readonly callerOf: (scope: RequestScope) => Caller;
  readonly auditOf: Auditor;
}

const PREFIX = "/api/files/";

/**
 * On every file: no browser may run anything of it, whatever type it takes it for, and it is shown without an origin.
 * (Jupyter's missing sandbox let a note run code on the server.)
 */
const FILE_HEADERS = {
  "Content-Security-Policy": "sandbox; default-src 'none'",
  "Accept-Ranges": "bytes",
};

/** `GET /api/files`: a page of a folder. */
export function listFiles({ vault, callerOf }: FileRoutesOptions) {
  return async function list(c: NestContext): Promise<Response> {
    const page = await vault.list(vaultPathInQuery(c.env, "dir") ?? "", {
      caller: callerOf(c.env),
      depth: wholeNumber(c, "depth"),
      limit: wholeNumber(c, "limit"),
      hidden: flag(c, "hidden"),
      cursor: c.req.query("cursor"),
      signal: c.req.raw.signal,
    });
    const entries = page.entries.map(({ path, name, type, size, modifiedMs }) => ({
      path,
      name,
      type,
      size,
      modified: new Date(modifiedMs).toISOString(),
    }));
    return json(c.env, { entries, ...(page.cursor !== undefined && { cursor: page.cursor }) });
  };
}

/** `GET`, `HEAD /api/files/{path}`: the file's bytes (RFC 9110 sections 13 and 14). */
export function readFile({ vault, clock, callerOf }: FileRoutesOptions) {
  return function read(c: NestContext): Response | Promise<Response> {
    const scope = c.env;
    const path = vaultPathOf(scope, PREFIX);
    const opened = vault.open(path, {
      caller: callerOf(scope),
      // Made when it is asked for: only what has to be hashed needs one.
      get signal() {
        return scope.request.signal;
      },
    });
    return opened instanceof Promise
      ? opened.then((file) => answer(scope, path, file, clock))
      : answer(scope, path, opened, clock);
  };
}

function answer(scope: RequestScope, path: string, file: OpenFile, clock: Clock): Response {
  const { size, modifiedMs } = file;
  // Without a validator no condition holds, and no range can be joined to another.
  const now = { etag: file.etag ?? "", modifiedMs };
  const header = (field: string) => scope.header(field);
  const condition = readCondition(header, now);
  if (condition === 412) {
    file.close();
    return problem(scope, "precondition_failed", "The file is another by now");
  }
  const range = condition === 304 ? undefined : rangeOf(header, size, now);
  if (range === "unsatisfiable") {
    file.close();
    return problem(scope, "range_not_satisfiable", `The file has ${size} bytes`, {
      "Content-Range": `bytes */${size}`,
    });
  }
  const name = path.slice(path.lastIndexOf("/") + 1);
  let headers = headersFor(scope, contentTypeOf(name), FILE_HEADERS);
  headers.set("Last-Modified", new Date(modifiedMs).toUTCString());
  // Always set: the headers are a template that the next file gets, too.
  if (file.etag === undefined) headers.delete("ETag");
  else headers.set("ETag", file.etag);
  if (condition === 304) {
    file.close();
    return new Response(null, { status: 304, headers });
  }
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (range !== undefined) {
    headers = new Headers(headers);
    headers.set("Content-Range", `bytes ${start}-${end}/${size}`);
  }
  const status = range === undefined ? 200 : 206;
  if (scope.request.method === "HEAD") {
    file.close();
    headers = new Headers(headers);
    headers.set("Content-Length", String(end + 1 - start));
    return new Response(null, { status, headers });
  }
  const body = file.body(start, end + 1);
  if (body instanceof Blob) clock.after(HANDED_OVER_MS, () => file.close());
  return new Response(body, { status, headers });
}

/**
 * How long a large file is kept open for Bun to open its descriptor anew, ms. Bun does so in the very turn in which it
 * gets the response (seen on 1.4.5). Closed before that, the number could name another file by then.
 */
const HANDED_OVER_MS = 1000;

/**
 * `PUT /api/files/{path}`: the body becomes the file's content; a path that ends in `/` becomes a folder.
 */
export function writeFile({ vault, maxFileBytes, clock, callerOf, auditOf }: FileRoutesOptions) {
  return async function write(c: NestContext): Promise<Response> {
    const scope = c.env;
    const path = vaultPathOf(scope, PREFIX);
    const caller = callerOf(scope);
    const audit = auditOf(scope);
    refuseUnkept(scope, "content-range");
    // Before any of the body: it may be large.
    const body = bodyStream(scope, { maxBytes: maxFileBytes, clock });
    if (path.endsWith("/")) {
      await body.cancel();
      refuseUnkept(scope, "if-match");
      const isNew = await vault.makeDirectory(path, { caller });
      if (!isNew && conditions(scope).ifNoneMatchAny === true)
        return problem(scope, "precondition_failed", "Cannot make the folder: it exists");
      audit("vault_write", { path });
      return json(scope, { path }, isNew ? 201 : 200);
    }
    try {
      const written = await vault.write(path, body, {
        caller,
        maxBytes: maxFileBytes,
        ...conditions(scope),
        signal: scope.request.signal,
      });
      const { etag, size, modifiedMs, isNew } = written;
      audit("vault_write", { path, bytes: size });
      const modified = new Date(modifiedMs).toISOString();
      const response = json(scope, { path, etag, size, modified }, isNew ? 201 : 200);
      response.headers.set("ETag", etag);
      return response;
    } finally {
      if (!body.locked) await body.cancel();
    }
  };
}

/** RFC 9110 section 13.1. Tags in `If-None-Match` say nothing about a write that one would want to say. */
function conditions(scope: RequestScope): {
  ifMatch?: readonly string[] | "*";
  ifNoneMatchAny?: boolean;
} {
  const match = scope.header("if-match");
  if (match === null) refuseUnkept(scope, "if-unmodified-since");
  const noneMatch = scope.header("if-none-match")?.trim();
  if (noneMatch !== undefined && noneMatch !== "*") {
    throw new Refusal("bad_request", "Expected If-None-Match: * (the file must not exist)");
  }
  return {
    ...(match !== null && { ifMatch: match.trim() === "*" ? "*" : strongTags(match) }),
    ...(noneMatch === "*" && { ifNoneMatchAny: true }),
  };
}

/** Conditions on what is done to a whole path: nothing is held against them there. */
export const CONDITIONS = ["if-match", "if-none-match", "if-unmodified-since"];

/**
 * Refuses a header that can't be kept to: passed over, a condition would lose what it was to keep (RFC 9110 section
 * 13.1), and a part would take the place of the whole (section 14.5).
 *
 * @throws {Refusal} `bad_request`
 */
export function refuseUnkept(scope: RequestScope, ...names: readonly string[]): void {
  const found = names.find((name) => scope.header(name) !== null);
  if (found !== undefined)
    throw new Refusal("bad_request", `Expected no ${found} here: nothing would be held against it`);
}

/** `DELETE /api/files/{path}`: into the trash, unless it is to be permanent. */
export function deleteFile({ vault, callerOf, auditOf }: FileRoutesOptions) {
  return async function remove(c: NestContext): Promise<Response> {
    const scope = c.env;
    const audit = auditOf(scope);
    const path = vaultPathOf(scope, PREFIX);
    refuseUnkept(scope, ...CONDITIONS);
    const trashed = await vault.remove(path, {
      caller: callerOf(scope),
      recursive: flag(c, "recursive"),
      permanent: flag(c, "permanent"),
    });
    audit("vault_delete", { path, ...(trashed !== undefined && { trashed }) });
    const headers = new Headers(headersFor(scope, "text/plain"));
    headers.delete("Content-Type");
    // Where it can be moved back from.
    if (trashed !== undefined) headers.set("X-Trash-Path", encodeURI(trashed));
    return new Response(null, { status: 204, headers });
  };
}
