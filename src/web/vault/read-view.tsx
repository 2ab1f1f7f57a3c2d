import { useMemo } from "preact/hooks";
import { CodeBlock } from "../markdown/code-block.tsx";
import { type Block, parseBlocks } from "../markdown/blocks.ts";
import { MarkdownBlocks } from "../markdown/markdown.tsx";
import { Backlinks } from "./backlinks.tsx";
import { partsOf } from "./files.ts";
import { partFrontMatter } from "./front-matter.ts";
import { changedItems } from "./line-changes.ts";
import type { Note } from "./note.ts";
import { withWikiLinks } from "./wiki-links.tsx";

/** A text as one reads it: Markdown as a page, everything else as it is written. */
export function ReadView({ of: note }: { of: Note }) {
  const { path } = note;
  const { text } = note.base.value;
  const { ending } = partsOf(path);
  if (!/^\.(?:md|markdown|mdx)$/i.test(ending)) {
    return (
      <div class="pane-scroll page plain-page" tabIndex={0}>
        {text === "" ? <Empty /> : <Plain text={text} ending={ending.slice(1).toLowerCase()} />}
      </div>
    );
  }
  return (
    <div class="pane-scroll page" tabIndex={0}>
      <article class="page-text" aria-label={path}>
        <MarkdownPage path={path} text={text} before={note.change.value?.before} />
      </article>
      <Backlinks path={path} />
    </div>
  );
}

function Plain({ text, ending }: { text: string; ending: string }) {
  if (!/^(?:txt|text|log|)$/.test(ending)) return <CodeBlock text={text} language={ending} />;
  return <pre class="plain-text">{text}</pre>;
}

function MarkdownPage({
  path,
  text,
  before,
}: {
  path: string;
  text: string;
  before: string | undefined;
}) {
  const parted = useMemo(() => partFrontMatter(text), [text]);
  const blocks = useMemo(() => parseBlocks(parted.text), [parted]);
  const changed = useMemo(() => {
    if (before === undefined) return new Set<number>();
    const raws = (of: readonly Block[]) => of.map(({ raw }) => raw.trimEnd());
    return changedItems(raws(parseBlocks(partFrontMatter(before).text)), raws(blocks));
  }, [before, blocks]);
  const options = useMemo(() => ({ text: (words: string) => withWikiLinks(words, path) }), [path]);
  return (
    <>
      {parted.properties.length > 0 && (
        <details class="properties">
          <summary>Properties</summary>
          <dl>
            {parted.properties.map(([name, value], i) => (
              <div key={i}>
                <dt>{name}</dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
      {blocks.length === 0 && <Empty />}
      <MarkdownBlocks
        blocks={blocks}
        from={path}
        {...options}
        block={(_block, index, shown) =>
          changed.has(index) ? (
            <div key={`changed-${index}`} class="changed-block">
              <span class="visually-hidden">Changed: </span>
              {shown}
            </div>
          ) : (
            shown
          )
        }
      />
    </>
  );
}

function Empty() {
  return <p class="dim">Nothing stands in it yet.</p>;
}
