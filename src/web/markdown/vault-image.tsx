import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { api } from "../api/http.ts";
import { Link } from "../app/link.tsx";

/** Types that are shown. SVG is not: it is a document with scripts. */
const TYPES = /^image\/(?:png|jpeg|gif|webp|avif)\b/;
/** Larger ones are links, bytes. */
const MAX_BYTES = 20 * 1024 * 1024;

/** A picture of the vault, fetched with the token, which no `<img>` can send. */
export function VaultImage({ path, alt }: { path: string; alt: string }) {
  const url = useSignal<string | undefined>(undefined);
  useEffect(() => {
    const abort = new AbortController();
    let made: string | undefined;
    void fetchImage(path, abort.signal).then((blob) => {
      if (blob === undefined || abort.signal.aborted) return;
      made = URL.createObjectURL(blob);
      url.value = made;
    });
    return () => {
      abort.abort();
      if (made !== undefined) URL.revokeObjectURL(made);
    };
  }, [path]);
  if (url.value === undefined)
    return <Link to={{ kind: "note", path }}>{alt === "" ? path : alt}</Link>;
  return <img class="picture" src={url.value} alt={alt} />;
}

/** `undefined` for what is no picture, is too large, or can't be had. */
async function fetchImage(path: string, signal: AbortSignal): Promise<Blob | undefined> {
  try {
    const response = await api(`api/files/${path.split("/").map(encodeURIComponent).join("/")}`, {
      signal,
    });
    const isShown =
      TYPES.test(response.headers.get("Content-Type") ?? "") &&
      Number(response.headers.get("Content-Length") ?? 0) <= MAX_BYTES;
    if (isShown) return await response.blob();
    await response.body?.cancel();
  } catch {
    // The link stays.
  }
  return undefined;
}
