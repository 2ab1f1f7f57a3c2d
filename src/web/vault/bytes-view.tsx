import { useSignal } from "@preact/signals";
import { Download } from "lucide";
import { useEffect } from "preact/hooks";
import { api } from "../api/http.ts";
import { toast } from "../app/toasts.tsx";
import { Icon } from "../view/icon.tsx";
import { addressOfFile, partsOf, shownSize, wordsFor } from "./files.ts";

/** What a file is shown as. Only types that browsers draw without running anything; SVG and HTML come as text. */
type Medium = "image" | "audio" | "video" | "pdf";

/** Larger ones are fetched when asked for, bytes. */
const AT_ONCE = 25_000_000;
/** Larger ones are not held in the page at all, bytes. */
const MAX_BYTES = 1_000_000_000;

function mediumOf(type: string): Medium | undefined {
  if (/^image\/(?:png|jpeg|gif|webp|avif|bmp|vnd\.microsoft\.icon)\b/.test(type)) return "image";
  if (type.startsWith("audio/")) return "audio";
  if (type.startsWith("video/")) return "video";
  return /^application\/pdf\b/.test(type) ? "pdf" : undefined;
}

/** Pictures, sound, films, PDF, and what can only be taken along. Fetched with the token into this page's memory. */
export function BytesView({ path, type, size }: { path: string; type: string; size: number }) {
  const medium = mediumOf(type);
  const isAsked = useSignal(size <= AT_ONCE);
  return (
    <div class="pane-scroll bytes" tabIndex={0}>
      {medium === undefined ? (
        <p>This kind of file is not shown here.</p>
      ) : isAsked.value ? (
        <Shown path={path} type={type} medium={medium} />
      ) : (
        size <= MAX_BYTES && (
          <button class="button" onClick={() => (isAsked.value = true)}>
            Show it ({shownSize(size)})
          </button>
        )
      )}
      <p class="bytes-foot">
        <span class="dim small">{shownSize(size)}</span>
        {size <= MAX_BYTES ? (
          <button class="button" onClick={() => void takeAlong(path)}>
            <Icon of={Download} size={16} />
            Download
          </button>
        ) : (
          <span>Too large for a browser: take it with curl, as the manual shows.</span>
        )}
      </p>
    </div>
  );
}

function Shown({ path, type, medium }: { path: string; type: string; medium: Medium }) {
  const state = useSignal<{ url?: string; words?: string }>({});
  const { name } = partsOf(path);
  useEffect(() => {
    const abort = new AbortController();
    let url: string | undefined;
    fetchBlob(path, type, abort.signal).then(
      (blob) => {
        if (abort.signal.aborted) return;
        url = URL.createObjectURL(blob);
        state.value = { url };
      },
      (error: Error) => {
        if (!abort.signal.aborted) state.value = { words: wordsFor(error) };
      },
    );
    return () => {
      abort.abort();
      if (url !== undefined) URL.revokeObjectURL(url);
    };
  }, [path, type]);
  const { url, words } = state.value;
  if (words !== undefined) return <p class="problem">{words}</p>;
  if (url === undefined) return <p class="dim">Loading…</p>;
  const unreadable = () => (state.value = { words: "This browser can't show it." });
  switch (medium) {
    case "image":
      return <img class="bytes-image" src={url} alt={name} onError={unreadable} />;
    case "audio":
      return (
        <audio class="bytes-sound" src={url} controls aria-label={name} onError={unreadable} />
      );
    case "video":
      return <video class="bytes-film" src={url} controls aria-label={name} onError={unreadable} />;
    case "pdf":
      return <iframe class="bytes-pdf" src={url} title={name} />;
  }
}

/** The bytes under a type of ours: whatever the file holds, the browser takes it for nothing else. */
async function fetchBlob(path: string, type: string, signal: AbortSignal): Promise<Blob> {
  const response = await api(addressOfFile(path), { signal });
  return new Blob([await response.blob()], { type });
}

/** Saves a file to this device. */
export async function takeAlong(path: string): Promise<void> {
  try {
    const response = await api(addressOfFile(path));
    const bytes = new Blob([await response.blob()], { type: "application/octet-stream" });
    const url = URL.createObjectURL(bytes);
    const link = document.createElement("a");
    link.href = url;
    link.download = partsOf(path).name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
  } catch (error) {
    toast(wordsFor(error));
  }
}
