/**
 * What a vault file is sent as, by the ending of its name: only types that a browser shows without running anything of
 * theirs. HTML, SVG, XML and scripts are text here, so that no file of the vault can act as a page of Nest's origin
 * (Jupyter's nbconvert, CVE-2024-35225); with `nosniff` the browser believes it.
 */
const SHOWN: Readonly<Record<string, string>> = {
  png: "image/png",
  jpg: "image/jpeg",
  jpeg: "image/jpeg",
  gif: "image/gif",
  webp: "image/webp",
  avif: "image/avif",
  bmp: "image/bmp",
  ico: "image/vnd.microsoft.icon",
  mp3: "audio/mpeg",
  m4a: "audio/mp4",
  aac: "audio/aac",
  ogg: "audio/ogg",
  oga: "audio/ogg",
  opus: "audio/ogg",
  flac: "audio/flac",
  wav: "audio/wav",
  weba: "audio/webm",
  mp4: "video/mp4",
  m4v: "video/mp4",
  mov: "video/quicktime",
  ogv: "video/ogg",
  webm: "video/webm",
  pdf: "application/pdf",
  json: "application/json",
  md: "text/markdown; charset=utf-8",
  markdown: "text/markdown; charset=utf-8",
  csv: "text/csv; charset=utf-8",
};

const TEXT = "text/plain; charset=utf-8";

/** Endings of text, the dangerous ones among them. What has no ending is text more often than not. */
const PLAIN = new Set(
  (
    "txt text log ini cfg conf env toml yaml yml jsonl ndjson lock diff patch tex bib srt vtt tsv rst adoc org " +
    "html htm xhtml xht shtml svg xml xsl xslt mht mhtml rss atom js mjs cjs ts mts cts jsx tsx css scss less " +
    "py rb pl php sh bash zsh fish ps1 bat c h cc cpp hpp rs go java kt swift lua sql r jl hs ml ex exs vue svelte"
  ).split(" "),
);

/** The media type for the last name of a path. */
export function contentTypeOf(name: string): string {
  const dot = name.lastIndexOf(".");
  if (dot <= 0) return TEXT;
  const ending = name.slice(dot + 1).toLowerCase();
  if (Object.hasOwn(SHOWN, ending)) return SHOWN[ending] as string;
  return PLAIN.has(ending) ? TEXT : "application/octet-stream";
}
