import type { Token, Tokens } from "marked";
import { Component, type ComponentChildren, createContext, type VNode } from "preact";
import { useContext } from "preact/hooks";
import { Link } from "../app/link.tsx";
import { type Block, parseBlocks } from "./blocks.ts";
import { CodeBlock } from "./code-block.tsx";
import { decodeEntities } from "./entities.ts";
import { resolveLink } from "./links.ts";
import { VaultImage } from "./vault-image.tsx";

/** Where the text comes from, and how a part of it is shown in another way. */
export interface MarkdownOptions {
  /** Path of the note, which relative links begin at. */
  readonly from?: string;
  /** Shows text in another way, for instance wiki-links; `undefined` = as it is. */
  readonly text?: (text: string) => ComponentChildren | undefined;
  /** Put around each top-level block. */
  readonly block?: (block: Block, index: number, shown: VNode) => VNode;
}

const Options = createContext<MarkdownOptions>({});

/** A whole text as Markdown. */
export function Markdown({ source, ...options }: { source: string } & MarkdownOptions) {
  return <MarkdownBlocks blocks={parseBlocks(source)} {...options} />;
}

/**
 * Parsed blocks as elements, by an allow-list: what is not named here is shown as the text it was. Raw HTML is text, so
 * nothing that a note or the agent says can become an element of its choice.
 *
 * @param isOpen - the last block still grows
 */
export function MarkdownBlocks({
  blocks,
  isOpen = false,
  ...options
}: { blocks: readonly Block[]; isOpen?: boolean } & MarkdownOptions) {
  return (
    <Options.Provider value={options}>
      <div class="markdown">
        {blocks.map((block, i) => {
          const shown = (
            <BlockView key={i} block={block} isOpen={isOpen && i === blocks.length - 1} />
          );
          return options.block === undefined ? shown : options.block(block, i, shown);
        })}
      </div>
    </Options.Provider>
  );
}

/** Drawn again only for another block: closed ones stay as they are while the text grows. */
class BlockView extends Component<{ block: Block; isOpen: boolean }> {
  override shouldComponentUpdate(next: { block: Block; isOpen: boolean }): boolean {
    return next.block !== this.props.block || next.isOpen !== this.props.isOpen;
  }

  override render({ block, isOpen }: { block: Block; isOpen: boolean }) {
    return <>{showBlock(block, isOpen, 0)}</>;
  }
}

/** Deeper ones are shown as text: nobody means them, and the stack has an end. */
const MAX_DEPTH = 40;

function showBlock(token: Token, isOpen: boolean, depth: number): ComponentChildren {
  if (depth > MAX_DEPTH) return <p>{token.raw}</p>;
  const blocks = (tokens: readonly Token[] | undefined) =>
    tokens?.map((inner) => showBlock(inner, false, depth + 1));
  const inline = (tokens: readonly Token[] | undefined) => showInline(tokens, depth + 1);
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading": {
      const { depth: level, tokens } = token as Tokens.Heading;
      // The page has its own first heading.
      const Tag = `h${Math.min(6, level + 1)}` as "h2";
      return <Tag class={`h-${level}`}>{inline(tokens)}</Tag>;
    }
    case "paragraph":
      return <p>{inline(token.tokens)}</p>;
    case "text":
      return token.tokens === undefined ? (
        <Text of={(token as Tokens.Text).text} />
      ) : (
        <>{inline(token.tokens)}</>
      );
    case "code":
      return (
        <CodeBlock
          text={(token as Tokens.Code).text}
          language={(token as Tokens.Code).lang ?? ""}
          isOpen={isOpen}
        />
      );
    case "blockquote":
      return <blockquote>{blocks(token.tokens)}</blockquote>;
    case "hr":
      return <hr />;
    case "list":
      return showList(token as Tokens.List, blocks);
    case "table":
      return showTable(token as Tokens.Table, inline);
    case "html":
      return <p class="raw">{token.raw.trimEnd()}</p>;
    default:
      return <>{showInline([token], depth + 1)}</>;
  }
}

function showList(
  { ordered, start, items }: Tokens.List,
  blocks: (tokens: readonly Token[]) => ComponentChildren,
) {
  const rows = items.map(({ task, checked, tokens }, i) => (
    <li key={i} class={task ? "task" : undefined}>
      {task && (
        <input
          type="checkbox"
          checked={checked === true}
          disabled
          aria-label={checked === true ? "done" : "to do"}
        />
      )}
      {blocks(tokens.filter(({ type }) => type !== "checkbox"))}
    </li>
  ));
  return ordered ? <ol start={start === "" ? 1 : start}>{rows}</ol> : <ul>{rows}</ul>;
}

function showTable(
  { header, rows }: Tokens.Table,
  inline: (tokens: readonly Token[]) => ComponentChildren,
) {
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label="Table">
      <table>
        <thead>
          <tr>
            {header.map(({ tokens, align }, i) => (
              <th key={i} data-align={align ?? undefined}>
                {inline(tokens)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map(({ tokens, align }, j) => (
                <td key={j} data-align={align ?? undefined}>
                  {inline(tokens)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function showInline(tokens: readonly Token[] | undefined, depth: number): ComponentChildren {
  return tokens?.map((token) => showPiece(token, depth));
}

function showPiece(token: Token, depth: number): ComponentChildren {
  if (depth > MAX_DEPTH) return token.raw;
  const inner = () => showInline((token as Tokens.Generic).tokens, depth + 1);
  switch (token.type) {
    case "text":
      return token.tokens === undefined ? <Text of={(token as Tokens.Text).text} /> : inner();
    case "escape":
      return (token as Tokens.Escape).text;
    case "strong":
      return <strong>{inner()}</strong>;
    case "em":
      return <em>{inner()}</em>;
    case "del":
      return <del>{inner()}</del>;
    case "codespan":
      return <code>{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br />;
    case "link":
      return <TextLink href={(token as Tokens.Link).href}>{inner()}</TextLink>;
    case "image":
      return <TextImage href={(token as Tokens.Image).href} alt={(token as Tokens.Image).text} />;
    case "html":
      return /^<br\s*\/?>$/i.test(token.raw) ? <br /> : token.raw;
    default:
      return token.raw;
  }
}

function Text({ of }: { of: string }) {
  const text = decodeEntities(of);
  return <>{useContext(Options).text?.(text) ?? text}</>;
}

function TextLink({ href, children }: { href: string; children: ComponentChildren }) {
  const target = resolveLink(decodeEntities(href), useContext(Options).from);
  switch (target.kind) {
    case "web":
      return (
        <a
          href={target.href}
          target="_blank"
          rel="noopener noreferrer nofollow"
          title={target.href}
        >
          {children}
        </a>
      );
    case "vault":
      return <Link to={{ kind: "note", path: target.path }}>{children}</Link>;
    case "none":
      return <span title={href}>{children}</span>;
  }
}

/** A picture of the vault is shown; one from elsewhere is a link, since looking at it would tell its server. */
function TextImage({ href, alt }: { href: string; alt: string }) {
  const target = resolveLink(decodeEntities(href), useContext(Options).from);
  if (target.kind === "vault") return <VaultImage path={target.path} alt={alt} />;
  return <TextLink href={href}>{alt === "" ? "picture" : alt}</TextLink>;
}
