import { type Signal, signal } from "@preact/signals";
import { ApiError } from "../api/ask.ts";
import { api } from "../api/http.ts";

/** A file on its way into the vault's `inbox/`. */
export interface Attachment {
  readonly id: number;
  readonly name: string;
  readonly state: Signal<
    | { readonly kind: "sending" }
    | { readonly kind: "there"; readonly path: string }
    | { readonly kind: "failed"; readonly why: string }
  >;
  readonly isImage: boolean;
  readonly abort: AbortController;
}

/** Pictures that are handed to the model with the prompt (docs/attach-protocol.md): type, count, bytes. */
const IMAGE = /^image\/(?:png|jpeg|gif|webp)$/;
export const MAX_IMAGES = 5;
const MAX_IMAGE_BYTES = 5 * 1024 * 1024;
/** Files of the same name before it is given up. */
const MAX_TRIES = 50;

let nextId = 0;

/** Begins to put a file into the inbox, under a name that is free there. */
export function attach(file: File): Attachment {
  const abort = new AbortController();
  const name = inboxName(file);
  const attachment: Attachment = {
    id: nextId++,
    name,
    state: signal({ kind: "sending" }),
    isImage: IMAGE.test(file.type) && file.size <= MAX_IMAGE_BYTES,
    abort,
  };
  void upload(file, name, abort.signal).then(
    (path) => (attachment.state.value = { kind: "there", path }),
    (error: Error) => {
      if (!abort.signal.aborted) attachment.state.value = { kind: "failed", why: wordsFor(error) };
    },
  );
  return attachment;
}

async function upload(file: File, name: string, abort: AbortSignal): Promise<string> {
  for (let i = 1; i <= MAX_TRIES; i++) {
    const path = `inbox/${numbered(name, i)}`;
    try {
      await api(`api/files/${path.split("/").map(encodeURIComponent).join("/")}`, {
        method: "PUT",
        body: file,
        headers: { "If-None-Match": "*", "Content-Type": "application/octet-stream" },
        signal: abort,
      });
      return path;
    } catch (error) {
      if (!(error instanceof ApiError && error.status === 412)) throw error;
    }
  }
  throw new Error("Too many files of that name lie in inbox/");
}

function wordsFor(error: Error): string {
  return error instanceof ApiError && error.code === "not_found"
    ? "this Nest takes no files yet"
    : error.message;
}

function numbered(name: string, i: number): string {
  if (i === 1) return name;
  const dot = name.lastIndexOf(".");
  return dot > 0 ? `${name.slice(0, dot)}-${i}${name.slice(dot)}` : `${name}-${i}`;
}

/**
 * A name of ours for a file of anybody's: no folders, nothing hidden, no comma (names are listed in the prompt), at most
 * 120 bytes of UTF-8 and more.
 */
export function inboxName({
  name,
  type,
}: {
  readonly name: string;
  readonly type: string;
}): string {
  const base = (name.split(/[/\\]/).at(-1) ?? "")
    .replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp},<>:"|?*]/gu, "")
    .trim()
    .replace(/^[.\s]+/, "");
  const isUnnamed = base === "" || /^image\.\w+$/.test(base);
  if (!isUnnamed) return shortened(base);
  const extension = /^image\/(png|jpeg|gif|webp)$/.exec(type)?.[1] ?? "bin";
  const at = new Date().toISOString().slice(0, 19).replaceAll(/[:T]/g, "-");
  return `pasted-${at}.${extension === "jpeg" ? "jpg" : extension}`;
}

const MAX_NAME = 60;

function shortened(name: string): string {
  const letters = [...name];
  if (letters.length <= MAX_NAME) return name;
  const dot = letters.lastIndexOf(".");
  const extension = dot > letters.length - 12 && dot > 0 ? letters.slice(dot) : [];
  return [...letters.slice(0, MAX_NAME - extension.length), ...extension].join("");
}
