import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { VaultImage } from "../markdown/vault-image.tsx";
import { joined, partsOf } from "./files.ts";
import { names, needNames, resolveName } from "./names.ts";

/** `[[target]]`, `[[target#heading|words]]`, `![[picture.png]]` */
const WIKI = /(!?)\[\[([^[\]|#\n]{1,400})(#[^[\]|\n]{0,400})?(?:\|([^[\]\n]{1,400}))?\]\]/g;
const PICTURE = /\.(?:png|jpe?g|gif|webp|avif)$/i;

/** Text with its wiki-links as links; `undefined` if it has none. */
export function withWikiLinks(text: string, from: string): ComponentChildren | undefined {
  if (!text.includes("[[")) return undefined;
  const parts: ComponentChildren[] = [];
  let end = 0;
  for (const match of text.matchAll(WIKI)) {
    const [whole, embeds, target = "", heading, words] = match;
    parts.push(text.slice(end, match.index));
    const shown = words ?? target.trim() + (heading ?? "").replace("#", " › ");
    parts.push(
      <WikiLink
        key={match.index}
        target={target.trim()}
        from={from}
        words={shown}
        isEmbed={embeds === "!"}
      />,
    );
    end = match.index + whole.length;
  }
  parts.push(text.slice(end));
  return parts;
}

function WikiLink({
  target,
  from,
  words,
  isEmbed,
}: {
  target: string;
  from: string;
  words: string;
  isEmbed: boolean;
}) {
  useEffect(needNames, []);
  const all = names.value;
  const path = resolveName(target, from, all);
  if (path !== undefined && isEmbed && PICTURE.test(path))
    return <VaultImage path={path} alt={words} />;
  // A note that is not there yet is made beside this one.
  const isSafe = !target.split("/").some((name) => name === "" || name === "." || name === "..");
  const to = path ?? (isSafe ? joined(partsOf(from).folder, withEnding(target)) : undefined);
  if (to === undefined || /[\\\0]/.test(to)) return <>{words}</>;
  const isMissing = path === undefined && all.isWhole;
  return (
    <Link
      to={{ kind: "note", path: to }}
      class={isMissing ? "wiki missing" : "wiki"}
      title={isMissing ? `${to} is not there yet` : to}
    >
      {words}
    </Link>
  );
}

function withEnding(target: string): string {
  return /\.\w{1,8}$/.test(target) ? target : `${target}.md`;
}
