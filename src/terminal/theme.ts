import type { EditorTheme, MarkdownTheme, SelectListTheme } from "@earendil-works/pi-tui";
import type { Palette } from "./palette.ts";

export function markdownTheme(p: Palette): MarkdownTheme {
  const plain = (text: string) => text;
  return {
    heading: p.bold,
    link: p.underline,
    linkUrl: p.dim,
    code: p.accent,
    codeBlock: plain,
    codeBlockBorder: p.dim,
    quote: p.italic,
    quoteBorder: p.dim,
    hr: p.dim,
    listBullet: p.dim,
    bold: p.bold,
    italic: p.italic,
    strikethrough: p.strike,
    underline: p.underline,
  };
}

export function selectTheme(p: Palette): SelectListTheme {
  return {
    selectedPrefix: p.accent,
    selectedText: p.accent,
    description: p.dim,
    scrollInfo: p.dim,
    noMatch: p.dim,
  };
}

export function editorTheme(p: Palette): EditorTheme {
  return { borderColor: p.dim, selectList: selectTheme(p) };
}
