import type { HLJSOptions } from "highlight.js";
import hljs from "highlight.js/lib/core";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import dockerfile from "highlight.js/lib/languages/dockerfile";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import type { ComponentChildren } from "preact";

const LANGUAGES = {
  bash,
  c,
  cpp,
  css,
  diff,
  dockerfile,
  go,
  ini,
  java,
  javascript,
  json,
  markdown,
  php,
  python,
  ruby,
  rust,
  sql,
  typescript,
  xml,
  yaml,
};

const lexer = hljs.newInstance();
for (const [name, language] of Object.entries(LANGUAGES)) lexer.registerLanguage(name, language);

interface Scoped {
  readonly scope?: string;
  readonly children: (Scoped | string)[];
}

/** Keeps the tree of scopes, where highlight.js would write HTML of it. */
class TreeEmitter {
  readonly root: Scoped = { children: [] };
  readonly #open: Scoped[] = [this.root];

  addText(text: string): void {
    if (text !== "") this.#open.at(-1)?.children.push(text);
  }

  startScope(scope: string): void {
    const node: Scoped = { scope, children: [] };
    this.#open.at(-1)?.children.push(node);
    this.#open.push(node);
  }

  endScope(): void {
    if (this.#open.length > 1) this.#open.pop();
  }

  /** Of a language inside another. */
  __addSublanguage(emitter: TreeEmitter, name: string): void {
    this.#open
      .at(-1)
      ?.children.push(name === "" ? emitter.root : { scope: "", children: emitter.root.children });
  }

  openNode(scope: string): void {
    this.startScope(scope);
  }

  closeNode(): void {
    this.endScope();
  }

  finalize(): void {}

  toHTML(): string {
    return "";
  }
}

lexer.configure({ __emitter: TreeEmitter } as unknown as Partial<HLJSOptions>);

/** Code as elements with classes for their kinds; as it is, where the language is not known. */
export function highlight(code: string, language: string): ComponentChildren {
  if (lexer.getLanguage(language) === undefined) return code;
  try {
    const { _emitter } = lexer.highlight(code, { language, ignoreIllegals: true });
    return show((_emitter as unknown as TreeEmitter).root);
  } catch {
    return code;
  }
}

function show({ scope, children }: Scoped): ComponentChildren {
  const inner = children.map((child) => (typeof child === "string" ? child : show(child)));
  const name = scope?.split(".")[0];
  return name ? <span class={`hl-${name}`}>{inner}</span> : <>{inner}</>;
}
